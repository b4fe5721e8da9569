extension ConfigurationKey {
    /// `monitor:`
    static let monitor = [
        ConfigurationKey(
            "monitor.enabled", \.monitor.isEnabled, .flag,
            "Whether to monitor the run: stable checkpoints, alerts, probe questions and their files.",
            example: "false", caveat: "`monitor: null` does the same as false."),
        ConfigurationKey(
            "monitor.window_size", \.monitor.thresholds.windowSize, .integer(from: 1),
            "The number of evaluations (and logged gradient norms) over which the stability of a run is judged.",
            example: "3",
            caveat: "There is no stable checkpoint before this many evaluations."),
        ConfigurationKey(
            "monitor.min_steps_between_checkpoints", \.monitor.thresholds.minStepsBetweenCheckpoints, .integer(from: 0),
            "The minimum number of steps between stable checkpoints, and before the first one.", example: "20",
            caveat: "A balanced state qualifies without waiting."),
        ConfigurationKey(
            "monitor.perplexity_threshold", \.monitor.thresholds.perplexityThreshold, .positive,
            "A stable checkpoint needs a mean perplexity over the window below this value.", example: "15",
            caveat:
                "Perplexity depends on the tokenizer and the data. Look at the first evaluations before you choose a "
                + "value."),
        ConfigurationKey(
            "monitor.eval_loss_variance_threshold", \.monitor.thresholds.evaluationLossDeviationThreshold, .notNegative,
            "The maximum standard deviation of the evaluation loss over the window, in nats.", example: "0.02",
            caveat: "The name says variance, as in the original, but the standard deviation is compared."),
        ConfigurationKey(
            "monitor.grad_norm_bounds", \.monitor.thresholds.gradientNormBounds, .range,
            "The range of good mean gradient norms. A norm that stays outside raises an alert.", example: "[0.05, 10]",
            caveat: "Norms are measured before clipping, and are larger for smaller models."),
        ConfigurationKey(
            "monitor.max_stable_checkpoints", \.monitor.thresholds.maxStableCheckpoints, .integer(from: 0),
            "The maximum number of stable checkpoints to keep. The one with the highest evaluation loss is "
                + "removed first.", example: "2"),
        ConfigurationKey(
            "monitor.max_consecutive_errors", \.monitor.thresholds.maxConsecutiveErrors, .integer(from: 1),
            "Stop saving stable checkpoints after this many consecutive failures.", example: "1"),
        ConfigurationKey(
            "monitor.variance_bias_window", \.monitor.thresholds.varianceBiasWindow, .integer(from: 1),
            "The number of logged training losses and evaluation losses over which the balance is judged.", example: "5"
        ),
        ConfigurationKey(
            "monitor.optimal_gap_range", \.monitor.thresholds.optimalGapRange, .range,
            "A balanced state has a mean evaluation loss minus mean training loss in this range, in nats.",
            example: "[0, 0.5]"),
        ConfigurationKey(
            "monitor.balanced_total_variance", \.monitor.thresholds.balancedTotalVariance, .notNegative,
            "A balanced state has a mean of the two losses' variances below this value.", example: "0.02"),
        ConfigurationKey(
            "monitor.balanced_variance_ratio", \.monitor.thresholds.balancedVarianceRatio, .notNegative,
            "A balanced state has a ratio of the smaller to the larger variance above this value.", example: "0.5"),
        ConfigurationKey(
            "monitor.on_alert", \.monitor.onAlert, .choice,
            "What an alert does: `log` reports it, `stop` also ends the run with a checkpoint, and `command` also "
                + "starts `alert_command`.",
            example: "stop", caveat: "Alerts that are only for information do not end a run."),
        ConfigurationKey(
            "monitor.alert_command", \.monitor.alertCommand, .textOrNone,
            "A shell command that gets each alert as a line of JSON on its standard input, and the run's folder "
                + "in `MENO_RUN_DIR`.",
            example: "\"cat >> alerts.jsonl\"", caveat: "It is killed after a minute, and never delays training."),
    ]

    /// `monitor.alerts:`
    static let alerts = [
        ConfigurationKey(
            "monitor.alerts.confidence", \.monitor.thresholds.alerts.confidence, .fraction,
            "The one-sided confidence with which the monitor decides whether the loss is still falling, at least "
                + "0.5.", example: "0.99"),
        ConfigurationKey(
            "monitor.alerts.spike_z_score", \.monitor.thresholds.alerts.spikeZScore, .positive,
            "A loss this many robust standard deviations above its neighbors is a spike.", example: "10"),
        ConfigurationKey(
            "monitor.alerts.divergence_z_score", \.monitor.thresholds.alerts.divergenceZScore, .positive,
            "The loss has diverged if the median of ten steps is this many robust standard deviations, and a "
                + "tenth, above the best such median.",
            example: "8"),
        ConfigurationKey(
            "monitor.alerts.plateau_min_fall", \.monitor.thresholds.alerts.plateauMinFall, .notNegative,
            "The loss is on a plateau if it falls by less than this fraction over a quarter of the run.",
            example: "0.002"),
        ConfigurationKey(
            "monitor.alerts.plateau_min_rate_share", \.monitor.thresholds.alerts.plateauMinRateShare, .fraction,
            "The monitor looks for a plateau while the learning rate is at least this fraction of its peak.",
            example: "0.1"),
        ConfigurationKey(
            "monitor.alerts.overfitting_rise", \.monitor.thresholds.alerts.overfittingRise, .notNegative,
            "The model overfits if the evaluation loss is above its best by this fraction and the gap is above "
                + "`optimal_gap_range`.",
            example: "0.05"),
        ConfigurationKey(
            "monitor.alerts.overfitting_patience", \.monitor.thresholds.alerts.overfittingPatience, .integer(from: 1),
            "The number of evaluations since the best one before the monitor reports overfitting.", example: "3"),
        ConfigurationKey(
            "monitor.alerts.min_context_gain", \.monitor.thresholds.alerts.minContextGain, .fraction,
            "After the warmup, the training loss must be below the entropy of the label frequencies by this "
                + "fraction. Otherwise the context does not help to predict a label, for example because words are "
                + "shuffled.",
            example: "0.3",
            caveat: "0 disables it, for a model trained from scratch. Not checked with label smoothing."),
        ConfigurationKey(
            "monitor.alerts.grad_norm_window", \.monitor.thresholds.alerts.gradientNormWindow, .integer(from: 1),
            "The number of steps whose median gradient norm is compared with `grad_norm_bounds`.", example: "50"),
        ConfigurationKey(
            "monitor.alerts.zero_rate_share", \.monitor.thresholds.alerts.zeroRateShare, .fraction,
            "The learning rate counts as zero below this fraction of its peak.", example: "0.01"),
        ConfigurationKey(
            "monitor.alerts.zero_rate_remaining", \.monitor.thresholds.alerts.zeroRateRemaining, .fraction,
            "A learning rate of zero raises an alert if more than this fraction of all steps remains.", example: "0.2"),
        ConfigurationKey(
            "monitor.alerts.throughput_share", \.monitor.thresholds.alerts.throughputShare, .fraction,
            "Throughput has collapsed if the median of ten steps is below this fraction of the best such median.",
            example: "0.8"),
        ConfigurationKey(
            "monitor.alerts.memory_growth_share", \.monitor.thresholds.alerts.memoryGrowthShare, .notNegative,
            "Memory keeps growing if forty readings have grown evenly by this fraction and by "
                + "`memory_growth_mib`.",
            example: "0.1"),
        ConfigurationKey(
            "monitor.alerts.memory_growth_mib", \.monitor.thresholds.alerts.memoryGrowthMiB, .notNegative,
            "The minimum growth of memory over forty readings, in MiB.", example: "256"),
        ConfigurationKey(
            "monitor.alerts.max_reward_margin", \.monitor.thresholds.alerts.maxRewardMargin, .positive,
            "For preference objectives: the model has memorized the pairs if the median reward margin of ten "
                + "steps is above this value.",
            example: "30"),
        ConfigurationKey(
            "monitor.alerts.chosen_logps_fall", \.monitor.thresholds.alerts.chosenLogProbabilityFall, .positive,
            "For preference objectives: how far the log-probability of held-out chosen completions may fall below "
                + "its best, as a fraction.", example: "0.3"),
        ConfigurationKey(
            "monitor.alerts.min_reward_accuracy", \.monitor.thresholds.alerts.minPreferenceAccuracy, .fraction,
            "For preference objectives: the fraction of pairs that must be ranked correctly halfway through the "
                + "run.",
            example: "0.6"),
    ]

    /// `monitor.probes:`
    static let probes = [
        ConfigurationKey(
            "monitor.probes.when", \.monitor.probing, .choice,
            "When to ask the probe questions: after each evaluation, or never.", example: "never",
            caveat: "They are asked only if the data consists of conversations."),
        ConfigurationKey(
            "monitor.probes.questions", \.monitor.probeQuestions, .texts,
            "The probe questions. `auto` uses four bundled ones, in Japanese or English depending on the data.",
            example: "[\"勇気とは何ですか。\", \"正義とは何ですか。\"]"),
        ConfigurationKey(
            "monitor.probes.max_new_tokens", \.monitor.probeMaxNewTokens, .integer(from: 1),
            "The maximum number of tokens in an answer.", example: "128"),
        ConfigurationKey(
            "monitor.probes.max_share", \.monitor.probeMaxShare, .fraction,
            "Questions are skipped while they have taken more than this fraction of the run's time.", example: "0.01",
            caveat: "They are always asked the first time."),
        ConfigurationKey(
            "monitor.probes.min_asking_share", \.monitor.thresholds.probes.minAskingShare, .fraction,
            "The minimum fraction of answers that ask something back, in the second half of a run.", example: "0",
            caveat: "Use 0 if the model is not meant to ask questions."),
        ConfigurationKey(
            "monitor.probes.max_asking_fall", \.monitor.thresholds.probes.maxAskingFall, .fraction,
            "How far the fraction of answers that ask something back may fall below its best.", example: "1"),
        ConfigurationKey(
            "monitor.probes.min_distinct_2", \.monitor.thresholds.probes.minDistinct2, .fraction,
            "An answer is repetitive if the fraction of distinct bigrams is smaller than this.", example: "0.5",
            caveat: "A bigram consists of characters in Japanese, and of words in other languages."),
        ConfigurationKey(
            "monitor.probes.max_repeated_span_share", \.monitor.thresholds.probes.maxRepeatedSpanShare, .fraction,
            "An answer is also repetitive if a span that occurs twice makes up more than this fraction of it.",
            example: "0.25"),
        ConfigurationKey(
            "monitor.probes.max_repetitive_share", \.monitor.thresholds.probes.maxRepetitiveShare, .fraction,
            "An alert is raised if more than this fraction of the answers is repetitive.", example: "0"),
        ConfigurationKey(
            "monitor.probes.same_question_similarity", \.monitor.thresholds.probes.sameQuestionSimilarity, .fraction,
            "Two questions count as the same if the Dice coefficient of their character pairs is at least this "
                + "value.", example: "0.95"),
        ConfigurationKey(
            "monitor.probes.max_same_question_share", \.monitor.thresholds.probes.maxSameQuestionShare, .fraction,
            "An alert is raised if more than this fraction of the answers asks the same as the answer to another "
                + "probe.", example: "0.3"),
        ConfigurationKey(
            "monitor.probes.same_question_memory", \.monitor.thresholds.probes.sameQuestionMemory, .integer(from: 0),
            "The number of earlier rounds of probes that a question is compared with.", example: "0"),
        ConfigurationKey(
            "monitor.probes.max_empty_share", \.monitor.thresholds.probes.maxEmptyShare, .fraction,
            "An alert is raised if more than this fraction of the answers is empty.", example: "0"),
        ConfigurationKey(
            "monitor.probes.max_truncated_share", \.monitor.thresholds.probes.maxTruncatedShare, .fraction,
            "An alert is raised if more than this fraction of the answers is cut off by `max_new_tokens`.", example: "1"
        ),
        ConfigurationKey(
            "monitor.probes.max_wrong_language_share", \.monitor.thresholds.probes.maxWrongLanguageShare, .fraction,
            "An alert is raised if more than this fraction of the answers is not in the language of the question.",
            example: "1"),
    ]
}
