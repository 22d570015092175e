"""Makes what tests need: pictures, tiny TFLite files, SavedModels, answers."""
