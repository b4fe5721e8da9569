internal import MenoTraining

extension ConfigurationKey {
    /// `training:`, what is minimized.
    static let objective = [
        ConfigurationKey(
            "training.objective", \.training.objective.kind, .choice,
            "What is minimized: supervised fine-tuning (sft), or a loss of preferences. dpo, ipo, orpo, simpo and cpo read records "
                + "with `chosen` and `rejected`; kto reads `prompt`, `completion` and a `label` that is true or false, or pairs.",
            example: "dpo",
            caveat: "Preferences want a smaller learning rate than sft: TRL's default is 1e-6, ten times that for LoRA."
        ),
        ConfigurationKey(
            "training.beta", \.training.objective.beta, .positive,
            "β: how much the difference from the reference model counts (in ipo, τ; in orpo, λ; in simpo and cpo, the scale of "
                + "likelihoods).", example: "0.3", caveat: "SimPO's paper has 2.0 to 2.5."),
        ConfigurationKey(
            "training.loss_type", \.training.objective.lossTypes, .textsOrNone,
            "The loss, by TRL's name, or for dpo a list that is added up. dpo: "
                + "\(DPOLoss.Kind.allCases.map(\.rawValue).joined(separator: ", ")); cpo: "
                + "\(CPOLoss.Kind.allCases.map(\.rawValue).joined(separator: ", ")); kto: "
                + "\(KTOObjective.Kind.allCases.map(\.rawValue).joined(separator: ", ")). null: the first of these.",
            example: "[sigmoid, sft]",
            caveat: "Means over tokens (sft) are over the whole optimizer step, not over micro-batches."),
        ConfigurationKey(
            "training.loss_weights", \.training.objective.lossWeights, .numbersOrNone,
            "How much each loss of loss_type counts; null: 1 each.", example: "[1.0, 0.2]"),
        ConfigurationKey(
            "training.label_smoothing", \.training.objective.labelSmoothing, .belowOne,
            "The share of preferences that are taken to be wrong, in the losses robust and exo_pair of dpo, and in cpo and simpo.",
            example: "0.1", caveat: "label_smoothing_factor is that of supervised fine-tuning."),
        ConfigurationKey(
            "training.desirable_weight", \.training.objective.desirableWeight, .notNegative,
            "How much desirable completions count in kto.", example: "1.33"),
        ConfigurationKey(
            "training.undesirable_weight", \.training.objective.undesirableWeight, .notNegative,
            "How much undesirable completions count in kto.", example: "1.5"),
        ConfigurationKey(
            "training.cpo_alpha", \.training.objective.cpoAlpha, .notNegativeOrAutomatic,
            "How much the likelihood of chosen completions counts in cpo and simpo; auto: 1 in cpo, 0 in simpo.",
            example: "0.5"),
        ConfigurationKey(
            "training.simpo_gamma", \.training.objective.simpoGamma, .notNegative,
            "The margin of rewards that simpo asks for.", example: "1.0"),
        ConfigurationKey(
            "training.alpha", \.training.objective.alpha, .number("a number") { _ in true },
            "α of AlphaPO's rewards (1 − p^−α) / α, in cpo and simpo; 0: log p.", example: "0.25"),
        ConfigurationKey(
            "training.disable_dropout", \.training.objective.disablesDropout, .flag,
            "Whether objectives of preferences switch dropout off.", example: "false",
            caveat: "The reference never has dropout."),
        ConfigurationKey(
            "training.reference", \.training.objective.reference, .reference,
            "What dpo, ipo and kto compare with: initial (the model at the start of the run), base (the model without any "
                + "adapter), or another model, or an adapter of this one.", example: "base",
            caveat:
                "With a new adapter, initial and base are the same: the adapter is switched off, and no second copy is held."
        ),
        ConfigurationKey(
            "training.precompute_ref_log_probs", \.training.objective.precomputesReference, .flag,
            "Whether the reference's log-probabilities are computed once, before the first step, and kept in "
                + "`reference_log_probs.json` of the run's folder.", example: "true",
            caveat:
                "They are in any case where the reference is another model, or where more than adapters is trained. kto with its "
                + "divergence cannot: what it asks depends on which examples a step has."),
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
