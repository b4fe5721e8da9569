/// What a run minimizes, with the names that TRL's trainers and their configurations use.
public struct ObjectiveOptions: Sendable, Hashable {
    /// The objective.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Supervised fine-tuning.
        case sft
        /// Direct preference optimization, and IPO, its variant with a squared loss of per-token means.
        case dpo, ipo
        /// Kahneman-Tversky optimization, for completions that are judged individually.
        case kto
        /// Preference losses on the likelihoods themselves, without a reference model.
        case orpo, simpo, cpo

        /// Whether an example is a pair of completions.
        package var isOfPairs: Bool { self != .sft && self != .kto }
    }

    /// What the model is compared with.
    public enum Reference: Sendable, Hashable {
        /// The model's state at the start of the run.
        case initial
        /// The model without any adapter.
        case base
        /// Another model, or an adapter of this one: a folder, a file or a name.
        case path(String)
    }

    /// The objective. Default: supervised fine-tuning.
    public var kind = Kind.sft
    /// β: the weight of the difference from the reference model, or between the two sides. Default 0.1.
    public var beta = 0.1
    /// The losses to add up, by TRL's names; empty: the objective's default loss.
    public var lossTypes: [String] = []
    /// The weight of each loss; empty: 1 each.
    public var lossWeights: [Double] = []
    /// The share of labels assumed to be wrong. Default 0.
    public var labelSmoothing = 0.0
    /// The weight of desirable completions in KTO; ``undesirableWeight`` is that of the others. Default 1 each.
    public var desirableWeight = 1.0
    /// See ``desirableWeight``.
    public var undesirableWeight = 1.0
    /// The weight of the chosen completions' likelihood in CPO; `nil`: 1 in CPO and 0 in SimPO.
    public var cpoAlpha: Double?
    /// SimPO's target margin. Default 0.5.
    public var simpoGamma = 0.5
    /// α of AlphaPO's rewards in CPO and SimPO; with 0, rewards are log-probabilities. Default 0.
    public var alpha = 0.0
    /// Whether preference objectives disable dropout. Default true.
    public var disablesDropout = true
    /// What the model is compared with. Default: its state at the start.
    public var reference = Reference.initial
    /// Whether to compute the reference's log-probabilities once, before the first step. Default false; they are
    /// always precomputed if there is no other way.
    public var precomputesReference = false

    /// Supervised fine-tuning.
    public init() {}
}

extension ObjectiveOptions {
    /// A value that the objective cannot have.
    package struct Fault: Error {
        /// The property.
        package var property: String
        package var message: String
    }

    /// Whether a reference model is asked.
    package var usesReference: Bool { [.dpo, .ipo, .kto].contains(kind) }

    /// Whether what is asked of the reference depends on which examples a step has, so that it cannot be computed before.
    package var needsReferenceInSteps: Bool { (try? ktoKind()) == .kto && kind == .kto }

    /// The objective.
    /// - Parameters:
    ///   - labelSmoothing: that of supervised fine-tuning.
    ///   - reference: where the reference's log-probabilities come from.
    /// - Throws: ``Fault``.
    package func objective(labelSmoothing smoothing: Double, reference: ReferenceModel) throws -> any Objective {
        switch kind {
        case .sft: return SupervisedObjective(labelSmoothing: smoothing)
        case .kto:
            return KTOObjective(
                try ktoKind(), beta: beta, desirableWeight: desirableWeight, undesirableWeight: undesirableWeight,
                reference: reference)
        default: return PairObjective(try pairLoss(), reference: reference)
        }
    }

    /// - Throws: ``Fault`` where the values contradict each other.
    package func validate() throws {
        guard beta > 0, beta.isFinite else { throw Fault(property: "beta", message: "is \(beta); expected above 0.") }
        if kind == .kto { _ = try ktoKind() }
        if kind.isOfPairs { _ = try pairLoss() }
    }

    private func pairLoss() throws -> any PairLoss {
        switch kind {
        case .orpo:
            guard lossTypes.isEmpty else {
                throw Fault(property: "lossTypes", message: "does not apply to orpo; leave it out.")
            }
            return ORPOLoss(beta: beta)
        case .cpo, .simpo:
            let type: CPOLoss.Kind = try only(lossTypes, kind == .cpo ? .sigmoid : .simpo)
            guard kind == .cpo || type == .simpo else {
                throw Fault(
                    property: "lossTypes",
                    message: "is \(type.rawValue) with the objective simpo; use the objective cpo.")
            }
            return CPOLoss(
                type, beta: beta, labelSmoothing: labelSmoothing, alpha: cpoAlpha ?? (kind == .cpo ? 1 : 0),
                gamma: simpoGamma, rewardShape: alpha)
        default:
            return DPOLoss(try dpoTerms(), beta: beta, labelSmoothing: labelSmoothing)
        }
    }

    private func dpoTerms() throws -> [DPOLoss.Term] {
        if kind == .ipo {
            _ = try only(lossTypes, DPOLoss.Kind.ipo, among: [.ipo])
            return [.init(.ipo)]
        }
        let kinds: [DPOLoss.Kind] = try lossTypes.isEmpty ? [.sigmoid] : lossTypes.map { try named($0) }
        guard lossWeights.isEmpty || lossWeights.count == kinds.count else {
            throw Fault(
                property: "lossWeights", message: "has \(lossWeights.count) weights for \(kinds.count) losses.")
        }
        if kinds.contains(.robust), !(0..<0.5).contains(labelSmoothing) {
            throw Fault(
                property: "labelSmoothing",
                message: "is \(labelSmoothing); the robust loss expects a value from 0 to below 0.5.")
        }
        if kinds.contains(.exoPair), !(labelSmoothing > 0 && labelSmoothing < 1) {
            throw Fault(
                property: "labelSmoothing",
                message: "is \(labelSmoothing); the exo_pair loss expects a value above 0 and below 1, such as 0.001.")
        }
        return zip(kinds, lossWeights.isEmpty ? kinds.map { _ in 1 } : lossWeights).map { .init($0, weight: $1) }
    }

    private func ktoKind() throws -> KTOObjective.Kind { try only(lossTypes, .kto) }

    private func named<Choice>(_ name: String, among choices: [Choice] = Array(Choice.allCases)) throws -> Choice
    where Choice: RawRepresentable<String> & CaseIterable & Equatable {
        guard let choice = Choice(rawValue: name), choices.contains(choice) else {
            throw Fault(
                property: "lossTypes",
                message:
                    "names \"\(name)\"; \(kind.rawValue) supports \(choices.map(\.rawValue).joined(separator: ", "))."
            )
        }
        return choice
    }

    /// The one loss that is named, or the one that is meant where none is.
    private func only<Choice>(
        _ names: [String], _ standard: Choice, among choices: [Choice] = Array(Choice.allCases)
    ) throws -> Choice where Choice: RawRepresentable<String> & CaseIterable & Equatable {
        guard names.count < 2 else {
            throw Fault(property: "lossTypes", message: "names \(names.count) losses; \(kind.rawValue) has one.")
        }
        return try names.first.map { try named($0, among: choices) } ?? standard
    }
}
