/// What a run minimizes, by the names of TRL's trainers and their configurations.
public struct ObjectiveOptions: Sendable, Hashable {
    /// Which objective.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Supervised fine-tuning.
        case sft
        /// Direct preference optimization, and its variant with a squared loss of means over tokens.
        case dpo, ipo
        /// Kahneman-Tversky optimization, of completions that are judged by themselves.
        case kto
        /// Losses of the likelihoods themselves, without a reference model.
        case orpo, simpo, cpo

        /// Whether an example is a pair of completions.
        package var isOfPairs: Bool { self != .sft && self != .kto }
    }

    /// What a model is compared with.
    public enum Reference: Sendable, Hashable {
        /// Its own state at the start of the run.
        case initial
        /// The model without any adapter.
        case base
        /// Another model, or an adapter of this one: a folder, a file or a name.
        case path(String)
    }

    /// Which objective. Default supervised fine-tuning.
    public var kind = Kind.sft
    /// β: how much the difference from the reference model, or between the sides, counts. Default 0.1.
    public var beta = 0.1
    /// The losses that are added up, by TRL's names; none: the objective's own.
    public var lossTypes: [String] = []
    /// How much each loss counts; none: 1 each.
    public var lossWeights: [Double] = []
    /// The share of labels that are taken to be wrong. Default 0.
    public var labelSmoothing = 0.0
    /// How much desirable completions count in KTO, beside ``undesirableWeight`` for the others. Default 1 each.
    public var desirableWeight = 1.0
    /// See ``desirableWeight``.
    public var undesirableWeight = 1.0
    /// How much the likelihood of chosen completions counts in CPO; `nil`: 1 in CPO and 0 in SimPO.
    public var cpoAlpha: Double?
    /// The margin that SimPO asks for. Default 0.5.
    public var simpoGamma = 0.5
    /// α of AlphaPO's rewards in CPO and SimPO; 0: log-probabilities. Default 0.
    public var alpha = 0.0
    /// Whether objectives of preferences switch dropout off. Default true.
    public var disablesDropout = true
    /// What the model is compared with. Default its state at the start.
    public var reference = Reference.initial
    /// Whether the reference's log-probabilities are computed once, before the first step. Default false; where nothing else can
    /// be done, they are.
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
                throw Fault(property: "lossTypes", message: "has no choices for orpo; leave it out.")
            }
            return ORPOLoss(beta: beta)
        case .cpo, .simpo:
            let type: CPOLoss.Kind = try only(lossTypes, kind == .cpo ? .sigmoid : .simpo)
            guard kind == .cpo || type == .simpo else {
                throw Fault(property: "lossTypes", message: "is \(type.rawValue) for simpo; write cpo for it.")
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
                message: "is \(labelSmoothing); the robust loss expects at least 0 and below 0.5.")
        }
        if kinds.contains(.exoPair), !(labelSmoothing > 0 && labelSmoothing < 1) {
            throw Fault(
                property: "labelSmoothing",
                message: "is \(labelSmoothing); the exo_pair loss expects above 0 and below 1, such as 0.001.")
        }
        return zip(kinds, lossWeights.isEmpty ? kinds.map { _ in 1 } : lossWeights).map { .init($0, weight: $1) }
    }

    private func ktoKind() throws -> KTOObjective.Kind { try only(lossTypes, .kto) }

    private func named<Choice>(_ name: String, among choices: [Choice] = Array(Choice.allCases)) throws -> Choice
    where Choice: RawRepresentable<String> & CaseIterable & Equatable {
        guard let choice = Choice(rawValue: name), choices.contains(choice) else {
            throw Fault(
                property: "lossTypes",
                message: "names \"\(name)\"; \(kind.rawValue) knows \(choices.map(\.rawValue).joined(separator: ", "))."
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
