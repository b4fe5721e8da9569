extension ConfigurationKey {
    /// Those of `training:` that say what is reported about a run, and where.
    static let telling = [
        ConfigurationKey(
            "training.report_to", \.report.destinations, .choices(),
            "Where to report metrics: `tensorboard` (event files), `mlflow` (a server, during training), `none`, "
                + "or `all`. `all` means `tensorboard`, and also `mlflow` if `MLFLOW_TRACKING_URI` is set.",
            example: "[tensorboard, mlflow]",
            caveat:
                "`mlflow` takes its server from the environment, like MLflow and Trainer: `MLFLOW_TRACKING_URI`, "
                + "`MLFLOW_EXPERIMENT_NAME`, `MLFLOW_RUN_ID`, `MLFLOW_TAGS`, and `MLFLOW_TRACKING_TOKEN` or "
                + "`MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`. The secrets are never written to a file. "
                + "No artifacts are sent. `meno track` sends a finished run. wandb is not supported, because its "
                + "offline log is an internal format of its client, and only a W&B server could confirm that a log is "
                + "correct. trackio is not supported, because it stores runs in a SQLite database, and Meno does not "
                + "include SQLite. metrics.jsonl, events.jsonl and report.html are always written."),
        ConfigurationKey(
            "training.logging_dir", \.report.logDirectory, .textOrNone,
            "The folder for the log and TensorBoard's event files. `null` means the folder logs in "
                + "`base_output_dir`.",
            example: "logs"),
        ConfigurationKey(
            "training.disable_tqdm", \.report.hidesProgress, .flag.reading(null: false),
            "Whether to hide the progress line in a terminal.", example: "true"),
    ]

    /// `report:`
    static let report = [
        ConfigurationKey(
            "report.language", \.report.language, .choice,
            "The language of report.html. `auto` is Japanese if the user's locale (LANG) is, and otherwise "
                + "English.",
            example: "ja")
    ]
}
