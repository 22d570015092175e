"""One module for each tool and format whose exports are served. `edge.export.family` says what a module offers."""
