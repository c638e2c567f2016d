"""Problems out of files of other tools: their loops and tensors, read strictly."""
