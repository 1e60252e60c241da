"""Commands: `python -m limit_tf.cli.NAME --help` says what each one does."""
