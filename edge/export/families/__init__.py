"""One module for each tool and format whose exports are served; see `edge.export.family`."""
