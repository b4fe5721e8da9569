extension ConfigurationKey {
    /// Those of `training:` that say what is reported about a run, and where.
    static let telling = [
        ConfigurationKey(
            "training.report_to", \.report.destinations, .choices(),
            "Programs that the run's numbers are written for or sent to: tensorboard (event files), mlflow (a server, while the "
                + "run trains), none, or all: tensorboard, and mlflow where MLFLOW_TRACKING_URI is set.",
            example: "[tensorboard, mlflow]",
            caveat:
                "mlflow takes its server from the environment, as mlflow and Trainer do: MLFLOW_TRACKING_URI, "
                + "MLFLOW_EXPERIMENT_NAME, MLFLOW_RUN_ID, MLFLOW_TAGS, and MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_USERNAME "
                + "and MLFLOW_TRACKING_PASSWORD, which are written nowhere. No artifacts are sent. `meno track` sends the record of "
                + "a run that is over. wandb is not supported: its offline log is the internal format of its own client, and only a W&B "
                + "server could confirm that a log is right. Nor is trackio: it keeps runs in a SQLite database, and Meno has no "
                + "SQLite. metrics.jsonl, events.jsonl and report.html are written in any case."),
        ConfigurationKey(
            "training.logging_dir", \.report.logDirectory, .textOrNone,
            "The folder of the log and of TensorBoard's event files; null: logs in base_output_dir.", example: "logs"),
        ConfigurationKey(
            "training.disable_tqdm", \.report.hidesProgress, .flag.reading(null: false),
            "Whether the progress line of a terminal is left out.", example: "true"),
    ]

    /// `report:`
    static let report = [
        ConfigurationKey(
            "report.language", \.report.language, .choice,
            "The language of report.html; auto: Japanese where the user's settings (LANG) are, else English.",
            example: "ja")
    ]
}
