internal import MenoTraining

extension ConfigurationKey {
    /// `training:`, what is minimized.
    static let objective = [
        ConfigurationKey(
            "training.objective", \.training.objective.kind, .choice,
            "The training objective: supervised fine-tuning (`sft`) or a preference loss. `dpo`, `ipo`, `orpo`, "
                + "`simpo` and `cpo` need records with `chosen` and `rejected`. `kto` needs `prompt`, `completion` and "
                + "a `label` that is true or false, or pairs.",
            example: "dpo",
            caveat:
                "Preference objectives need a smaller learning rate than `sft`: TRL's default is 1e-6; use ten times "
                + "that for LoRA."
        ),
        ConfigurationKey(
            "training.beta", \.training.objective.beta, .positive,
            "β: how strongly the difference from the reference model counts (τ in `ipo`, λ in `orpo`, the scale "
                + "of log-likelihoods in `simpo` and `cpo`).", example: "0.3",
            caveat: "The SimPO paper uses 2.0 to 2.5."),
        ConfigurationKey(
            "training.loss_type", \.training.objective.lossTypes, .textsOrNone,
            "The loss, by its name in TRL; for dpo also a list of losses to add up. dpo: "
                + "\(DPOLoss.Kind.allCases.map(\.rawValue).joined(separator: ", ")); cpo: "
                + "\(CPOLoss.Kind.allCases.map(\.rawValue).joined(separator: ", ")); kto: "
                + "\(KTOObjective.Kind.allCases.map(\.rawValue).joined(separator: ", ")). `null` means the first of "
                + "these.",
            example: "[sigmoid, sft]",
            caveat: "Means over tokens (sft) are taken over the complete optimizer step, not over micro-batches."),
        ConfigurationKey(
            "training.loss_weights", \.training.objective.lossWeights, .numbersOrNone,
            "The weight of each loss in `loss_type`. `null` means 1 for each.", example: "[1.0, 0.2]"),
        ConfigurationKey(
            "training.label_smoothing", \.training.objective.labelSmoothing, .belowOne,
            "The fraction of preferences that are assumed to be wrong, for the losses `robust` and `exo_pair` of "
                + "`dpo`, and for `cpo` and `simpo`.",
            example: "0.1", caveat: "For supervised fine-tuning, use `label_smoothing_factor`."),
        ConfigurationKey(
            "training.desirable_weight", \.training.objective.desirableWeight, .notNegative,
            "The weight of desirable completions in `kto`.", example: "1.33"),
        ConfigurationKey(
            "training.undesirable_weight", \.training.objective.undesirableWeight, .notNegative,
            "The weight of undesirable completions in `kto`.", example: "1.5"),
        ConfigurationKey(
            "training.cpo_alpha", \.training.objective.cpoAlpha, .notNegativeOrAutomatic,
            "The weight of the likelihood of chosen completions in `cpo` and `simpo`. `auto` is 1 in `cpo` and 0 "
                + "in `simpo`.",
            example: "0.5"),
        ConfigurationKey(
            "training.simpo_gamma", \.training.objective.simpoGamma, .notNegative,
            "The target reward margin of `simpo`.", example: "1.0"),
        ConfigurationKey(
            "training.alpha", \.training.objective.alpha, .number("a number") { _ in true },
            "α of AlphaPO's rewards (1 − p^−α) / α in `cpo` and `simpo`. 0 means log p.", example: "0.25"),
        ConfigurationKey(
            "training.disable_dropout", \.training.objective.disablesDropout, .flag,
            "Whether preference objectives switch dropout off.", example: "false",
            caveat: "The reference never uses dropout."),
        ConfigurationKey(
            "training.reference", \.training.objective.reference, .reference,
            "The reference model of `dpo`, `ipo` and `kto`: `initial` (the model at the start of the run), `base` "
                + "(the model without any adapter), another model, or an adapter of this model.", example: "base",
            caveat:
                "With a new adapter, `initial` and `base` are the same: the adapter is switched off, and no second "
                + "copy is kept."
        ),
        ConfigurationKey(
            "training.precompute_ref_log_probs", \.training.objective.precomputesReference, .flag,
            "Whether to compute the log-probabilities of the reference once, before the first step, and store "
                + "them in `reference_log_probs.json` in the run's folder.", example: "true",
            caveat:
                "This always happens if the reference is another model, or if the run trains more than adapters. It "
                + "is not possible for `kto` with its KL term, which depends on the composition of each step."),
    ]
}

extension ValueKind where Value == ObjectiveOptions.Reference {
    static var reference: Self {
        Self(expected: "initial, base, or a model or adapter") { node in
            switch ValueKind<String>.text.read(node) {
            case nil: nil
            case "initial": .initial
            case "base": .base
            case let path?: .path(path)
            }
        } write: {
            switch $0 {
            case .initial: "initial"
            case .base: "base"
            case .path(let path): ValueKind<String>.text.write(path)
            }
        }
    }
}

extension ValueKind where Value == [Double] {
    /// A list of numbers that may be empty.
    static var numbersOrNone: Self {
        Self(expected: "a list of numbers, or null") { node in
            if isNull(node) { return [] }
            let nodes = node.sequence.map(Array.init) ?? [node]
            let values = nodes.compactMap { $0.scalar.flatMap { Double($0.string) } }.filter(\.isFinite)
            return values.count == nodes.count ? values : nil
        } write: {
            "[\($0.map { "\($0)" }.joined(separator: ", "))]"
        }
    }
}

extension ValueKind where Value == Double? {
    /// A number of 0 or more, or auto for none.
    static var notNegativeOrAutomatic: Self { ValueKind<Double>.notNegative.orAutomatic }
}
