extension ConfigurationKey {
    /// Those of `training:` that say what is reported about a run, and where.
    static let telling = [
        ConfigurationKey(
            "training.report_to", \.report.destinations, .choices(),
            "Programs that the run's numbers are written for: tensorboard, none, or all (that is tensorboard).",
            example: "[tensorboard]", caveat: "metrics.jsonl, events.jsonl and report.html are written in any case."),
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
