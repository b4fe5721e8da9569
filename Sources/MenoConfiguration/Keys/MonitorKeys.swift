extension ConfigurationKey {
    /// `monitor:`
    static let monitor = [
        ConfigurationKey(
            "monitor.enabled", \.monitor.isEnabled, .flag,
            "Whether a monitor follows the run: stable checkpoints, alerts, probe questions and their files.",
            example: "false", caveat: "`monitor: null` says the same."),
        ConfigurationKey(
            "monitor.window_size", \.monitor.thresholds.windowSize, .integer(from: 1),
            "How many evaluations (and logged gradient norms) the stability of a run is judged over.", example: "3",
            caveat: "There is no stable checkpoint before there are so many evaluations."),
        ConfigurationKey(
            "monitor.min_steps_between_checkpoints", \.monitor.thresholds.minStepsBetweenCheckpoints, .integer(from: 0),
            "Steps between two stable checkpoints, and before the first.", example: "20",
            caveat: "A balanced state qualifies without waiting."),
        ConfigurationKey(
            "monitor.perplexity_threshold", \.monitor.thresholds.perplexityThreshold, .positive,
            "The mean perplexity over the window must be below this for a stable checkpoint.", example: "15",
            caveat: "Perplexity depends on tokenizer and data: look at the first evaluations before choosing."),
        ConfigurationKey(
            "monitor.eval_loss_variance_threshold", \.monitor.thresholds.evaluationLossDeviationThreshold, .notNegative,
            "The most standard deviation of the evaluation loss over the window, in nats.", example: "0.02",
            caveat: "Named after the variance, as in the original; the standard deviation is compared."),
        ConfigurationKey(
            "monitor.grad_norm_bounds", \.monitor.thresholds.gradientNormBounds, .range,
            "Within these the mean gradient norm is good; outside for long it raises an alert.", example: "[0.05, 10]",
            caveat: "Norms are taken before clipping, and are larger for smaller models."),
        ConfigurationKey(
            "monitor.max_stable_checkpoints", \.monitor.thresholds.maxStableCheckpoints, .integer(from: 0),
            "Stable checkpoints that are kept; the one with the highest evaluation loss goes first.", example: "2"),
        ConfigurationKey(
            "monitor.max_consecutive_errors", \.monitor.thresholds.maxConsecutiveErrors, .integer(from: 1),
            "Failed saves in a row after which no more stable checkpoints are tried.", example: "1"),
        ConfigurationKey(
            "monitor.variance_bias_window", \.monitor.thresholds.varianceBiasWindow, .integer(from: 1),
            "How many logged training losses and evaluation losses the balance is judged over.", example: "5"),
        ConfigurationKey(
            "monitor.optimal_gap_range", \.monitor.thresholds.optimalGapRange, .range,
            "Balanced: mean evaluation loss less mean training loss lies within these, in nats.", example: "[0, 0.5]"),
        ConfigurationKey(
            "monitor.balanced_total_variance", \.monitor.thresholds.balancedTotalVariance, .notNegative,
            "Balanced: the mean of the two losses' variances is below this.", example: "0.02"),
        ConfigurationKey(
            "monitor.balanced_variance_ratio", \.monitor.thresholds.balancedVarianceRatio, .notNegative,
            "Balanced: the smaller variance divided by the larger is above this.", example: "0.5"),
        ConfigurationKey(
            "monitor.on_alert", \.monitor.onAlert, .choice,
            "What an alert does beside being told: nothing more, end the run with a checkpoint, or start alert_command.",
            example: "stop", caveat: "Alerts that only inform do not end a run."),
        ConfigurationKey(
            "monitor.alert_command", \.monitor.alertCommand, .textOrNone,
            "A shell command that gets each alert as a line of JSON on its standard input, and the run's folder as MENO_RUN_DIR.",
            example: "\"cat >> alerts.jsonl\"", caveat: "It is ended after a minute, and never holds up training."),
    ]

    /// `monitor.alerts:`
    static let alerts = [
        ConfigurationKey(
            "monitor.alerts.confidence", \.monitor.thresholds.alerts.confidence, .fraction,
            "Confidence, one-sided, of the judgement whether the loss still falls; from 0.5.", example: "0.99"),
        ConfigurationKey(
            "monitor.alerts.spike_z_score", \.monitor.thresholds.alerts.spikeZScore, .positive,
            "A loss so many robust standard deviations above its neighbours is a spike.", example: "10"),
        ConfigurationKey(
            "monitor.alerts.divergence_z_score", \.monitor.thresholds.alerts.divergenceZScore, .positive,
            "The loss has diverged when the median of ten steps is so many robust standard deviations, and a tenth, above "
                + "the best such median.",
            example: "8"),
        ConfigurationKey(
            "monitor.alerts.plateau_min_fall", \.monitor.thresholds.alerts.plateauMinFall, .notNegative,
            "A plateau: over a quarter of the run the loss falls by less than this share of itself.",
            example: "0.002"),
        ConfigurationKey(
            "monitor.alerts.plateau_min_rate_share", \.monitor.thresholds.alerts.plateauMinRateShare, .fraction,
            "A plateau is looked for while the learning rate is at least this share of its peak.", example: "0.1"),
        ConfigurationKey(
            "monitor.alerts.overfitting_rise", \.monitor.thresholds.alerts.overfittingRise, .notNegative,
            "Over-fitting: the evaluation loss is above its best by this share, and the gap above optimal_gap_range.",
            example: "0.05"),
        ConfigurationKey(
            "monitor.alerts.overfitting_patience", \.monitor.thresholds.alerts.overfittingPatience, .integer(from: 1),
            "Over-fitting: evaluations since the best one.", example: "3"),
        ConfigurationKey(
            "monitor.alerts.min_context_gain", \.monitor.thresholds.alerts.minContextGain, .fraction,
            "After the warm-up the training loss must be below the entropy of the labels' frequencies by this share: else "
                + "what stands before a label does not help to predict it, as where words are shuffled.",
            example: "0.3",
            caveat: "0 switches it off, for a model trained from nothing. Not judged with label smoothing."),
        ConfigurationKey(
            "monitor.alerts.grad_norm_window", \.monitor.thresholds.alerts.gradientNormWindow, .integer(from: 1),
            "Steps over which the median gradient norm is held against grad_norm_bounds.", example: "50"),
        ConfigurationKey(
            "monitor.alerts.zero_rate_share", \.monitor.thresholds.alerts.zeroRateShare, .fraction,
            "The learning rate is effectively zero below this share of its peak.", example: "0.01"),
        ConfigurationKey(
            "monitor.alerts.zero_rate_remaining", \.monitor.thresholds.alerts.zeroRateRemaining, .fraction,
            "… which is trouble while more than this share of all steps remains.", example: "0.2"),
        ConfigurationKey(
            "monitor.alerts.throughput_share", \.monitor.thresholds.alerts.throughputShare, .fraction,
            "Throughput has collapsed when the median of ten steps is below this share of the best such median.",
            example: "0.8"),
        ConfigurationKey(
            "monitor.alerts.memory_growth_share", \.monitor.thresholds.alerts.memoryGrowthShare, .notNegative,
            "Memory grows on when forty readings have grown, evenly, by this share.", example: "0.1"),
        ConfigurationKey(
            "monitor.alerts.memory_growth_mib", \.monitor.thresholds.alerts.memoryGrowthMiB, .notNegative,
            "… and by so many MiB.", example: "256"),
        ConfigurationKey(
            "monitor.alerts.max_reward_margin", \.monitor.thresholds.alerts.maxRewardMargin, .positive,
            "Objectives of preferences: the median reward margin of ten steps above which pairs are known by heart.",
            example: "30"),
        ConfigurationKey(
            "monitor.alerts.chosen_logps_fall", \.monitor.thresholds.alerts.chosenLogProbabilityFall, .positive,
            "Objectives of preferences: the share by which the log-probability of held-out chosen completions may lie below its "
                + "best.", example: "0.3"),
        ConfigurationKey(
            "monitor.alerts.min_reward_accuracy", \.monitor.thresholds.alerts.minPreferenceAccuracy, .fraction,
            "Objectives of preferences: the share of pairs that must be ranked correctly when half of the run is done.",
            example: "0.6"),
    ]

    /// `monitor.probes:`
    static let probes = [
        ConfigurationKey(
            "monitor.probes.when", \.monitor.probing, .choice,
            "Whether probe questions are asked after each evaluation, or never.", example: "never",
            caveat: "Only of runs whose data are dialogues."),
        ConfigurationKey(
            "monitor.probes.questions", \.monitor.probeQuestions, .texts,
            "The questions; auto: four bundled ones, in Japanese or English as the data are.",
            example: "[\"勇気とは何ですか。\", \"正義とは何ですか。\"]"),
        ConfigurationKey(
            "monitor.probes.max_new_tokens", \.monitor.probeMaxNewTokens, .integer(from: 1),
            "Tokens of the longest answer.", example: "128"),
        ConfigurationKey(
            "monitor.probes.max_share", \.monitor.probeMaxShare, .fraction,
            "Questions are left out while they have taken more than this share of the run's time.", example: "0.01",
            caveat: "The first time they are asked in any case."),
        ConfigurationKey(
            "monitor.probes.min_asking_share", \.monitor.thresholds.probes.minAskingShare, .fraction,
            "In the second half of a run at least this share of the answers asks something back.", example: "0",
            caveat: "0 where the model is not meant to ask."),
        ConfigurationKey(
            "monitor.probes.max_asking_fall", \.monitor.thresholds.probes.maxAskingFall, .fraction,
            "Nor may that share fall by this much below its best.", example: "1"),
        ConfigurationKey(
            "monitor.probes.min_distinct_2", \.monitor.thresholds.probes.minDistinct2, .fraction,
            "An answer with a smaller share of different two-unit sequences repeats itself.", example: "0.5",
            caveat: "Units are characters in Japanese and words elsewhere."),
        ConfigurationKey(
            "monitor.probes.max_repeated_span_share", \.monitor.thresholds.probes.maxRepeatedSpanShare, .fraction,
            "So does one of which a span that occurs twice is more than this share.", example: "0.25"),
        ConfigurationKey(
            "monitor.probes.max_repetitive_share", \.monitor.thresholds.probes.maxRepetitiveShare, .fraction,
            "Trouble: more than this share of the answers repeats itself.", example: "0"),
        ConfigurationKey(
            "monitor.probes.same_question_similarity", \.monitor.thresholds.probes.sameQuestionSimilarity, .fraction,
            "Two questions are the same from this Dice coefficient of their character pairs.", example: "0.95"),
        ConfigurationKey(
            "monitor.probes.max_same_question_share", \.monitor.thresholds.probes.maxSameQuestionShare, .fraction,
            "Trouble: more than this share of the answers asks what the answer to another probe asks.", example: "0.3"),
        ConfigurationKey(
            "monitor.probes.same_question_memory", \.monitor.thresholds.probes.sameQuestionMemory, .integer(from: 0),
            "How many earlier probings a question is compared with.", example: "0"),
        ConfigurationKey(
            "monitor.probes.max_empty_share", \.monitor.thresholds.probes.maxEmptyShare, .fraction,
            "Trouble: more than this share of the answers is empty.", example: "0"),
        ConfigurationKey(
            "monitor.probes.max_truncated_share", \.monitor.thresholds.probes.maxTruncatedShare, .fraction,
            "Trouble: more than this share of the answers is cut by max_new_tokens.", example: "1"),
        ConfigurationKey(
            "monitor.probes.max_wrong_language_share", \.monitor.thresholds.probes.maxWrongLanguageShare, .fraction,
            "Trouble: more than this share of the answers is not in the language of its question.", example: "1"),
    ]
}
