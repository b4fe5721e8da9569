internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoFormats
internal import MenoModels
internal import MenoTensor
internal import MenoTraining

/// What the model of a run is compared with, where its objective asks for it.
struct RunReference {
    /// What steps and evaluations ask.
    let model: ReferenceModel
    /// What computes log-probabilities once, before the first step; `nil`: they are asked for in the steps.
    let scorer: Scorer?

    struct Scorer {
        /// `nil`: the run's own model as it is before the first step.
        var decoder: Decoder?
        /// With which adapters, of that model.
        var adapters: AdapterSnapshot?
        /// What tells the reference apart from others.
        var identity: String
    }

    static var none: RunReference { RunReference(model: .none, scorer: nil) }

    /// - Parameters:
    ///   - model: of the run, before its first step.
    ///   - loads: loads another model by its name.
    ///   - identity: what tells the run's model apart, with what it begins with.
    init(
        _ options: ObjectiveOptions, of model: Decoder, adapter: String?, identity: String,
        loads: (String) throws -> Decoder
    ) throws {
        guard options.usesReference else {
            self = .none
            return
        }
        let precomputes = options.precomputesReference && !options.needsReferenceInSteps
        if case .path(let path) = options.reference {
            let other = try loads(path)
            let identity = "\(path) \(identity)"
            self.init(
                model: options.needsReferenceInSteps ? .decoder(other) : .none,
                scorer: options.needsReferenceInSteps ? nil : Scorer(decoder: other, identity: identity))
            return
        }
        let isBase = options.reference == .base || adapter == nil
        if model.trainsAdaptersAlone {
            let snapshot = isBase ? model.withoutAdapters : try model.adapterSnapshot()
            let state = isBase ? "base" : adapter ?? ""
            self.init(
                model: precomputes ? .none : .adapters(snapshot),
                scorer: precomputes ? Scorer(adapters: snapshot, identity: "\(identity) \(state)") : nil)
            return
        }
        guard !options.needsReferenceInSteps else {
            // What is trained is changed in its place: the state at the start needs a copy.
            self.init(model: .decoder(try loads("")), scorer: nil)
            return
        }
        let snapshot = options.reference == .base ? model.withoutAdapters : nil
        self.init(
            model: .none, scorer: Scorer(adapters: snapshot, identity: "\(identity) \(adapter ?? "start") \(options.reference)"))
    }

    private init(model: ReferenceModel, scorer: Scorer?) {
        self.model = model
        self.scorer = scorer
    }
}

/// Log-probabilities of a reference model, kept in a run's folder by what they were computed of.
struct ReferenceFile: Codable {
    static let name = "reference_log_probs.json"

    /// A digest of the examples and of what the reference is.
    var key: String
    var scores: [ReferenceScores]

    static func key(of examples: [Example], identity: String) -> String {
        var bytes = Data(identity.utf8)
        for example in examples {
            for ids in [example.ids, example.preference?.rejected ?? []] {
                withUnsafeBytes(of: Int32(ids.count)) { bytes.append(contentsOf: $0) }
                ids.withUnsafeBytes { bytes.append(contentsOf: $0) }
            }
            withUnsafeBytes(of: Int32(example.preference?.promptLength ?? 0)) { bytes.append(contentsOf: $0) }
        }
        return FileDigest(of: bytes).sha256
    }

    /// What is kept under a key; `nil` where there is nothing, or something else.
    static func scores(in url: URL, key: String, count: Int) -> [ReferenceScores]? {
        guard let data = try? Data(contentsOf: url), let file = try? JSONDecoder().decode(Self.self, from: data),
            file.key == key, file.scores.count == count
        else { return nil }
        return file.scores
    }

    func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try WholeFile.write(try encoder.encode(self), to: url)
    }
}
