internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoFormats
internal import MenoModels
internal import MenoTensor
internal import MenoTraining

/// The reference model of a run, if its objective needs one.
struct RunReference {
    /// The reference used in steps and evaluations.
    let model: ReferenceModel
    /// Computes log-probabilities once, before the first step; `nil`: they are computed in the
    /// steps.
    let scorer: Scorer?

    struct Scorer {
        /// Loads another model, which is released before the first step; `nil`: the run's model as
        /// it is before training.
        var load: (() throws -> Decoder)?
        /// The adapters to use with that model.
        var adapters: AdapterSnapshot?
        /// Identifies the reference.
        var identity: String
    }

    static var none: RunReference { RunReference(model: .none, scorer: nil) }

    /// - Parameters:
    ///   - model: the run's model, before its first step.
    ///   - adapter: the initial adapter; `nil`: a new one, or none.
    ///   - identity: identifies the run's model.
    ///   - loads: loads a model: another one, or the run's without any adapter or before any
    ///     training.
    init(
        _ options: ObjectiveOptions, of model: Decoder, adapter: String?, identity: String,
        loads: @escaping (Source) throws -> Decoder
    ) throws {
        guard options.usesReference else {
            self = .none
            return
        }
        let precomputes = options.precomputesReference && !options.needsReferenceInSteps
        if case .path(let path) = options.reference {
            if options.needsReferenceInSteps {
                self.init(model: .decoder(try loads(.other(path))), scorer: nil)
            } else {
                let identity = "\(identity) \(try Self.mark(of: path))"
                self.init(model: .none, scorer: Scorer(load: { try loads(.other(path)) }, identity: identity))
            }
            return
        }
        let isBase = options.reference == .base || adapter == nil
        if model.trainsAdaptersAlone {
            let snapshot = isBase ? model.withoutAdapters : try model.adapterSnapshot()
            let state = isBase ? "base" : try Self.mark(of: adapter ?? "")
            self.init(
                model: precomputes ? .none : .adapters(snapshot),
                scorer: precomputes ? Scorer(adapters: snapshot, identity: "\(identity) \(state)") : nil)
            return
        }
        // Modules trained beside adapters are changed in place, so a reference computed in the
        // steps needs a copy of their initial weights.
        guard !options.needsReferenceInSteps else {
            self.init(model: .decoder(try loads(isBase ? .base : .start)), scorer: nil)
            return
        }
        // A saved adapter contains such modules, so the model without the adapter is a different
        // one.
        var load: (() throws -> Decoder)?
        if isBase, adapter != nil { load = { try loads(.base) } }
        let state = isBase ? "base" : try Self.mark(of: adapter ?? "")
        self.init(
            model: .none,
            scorer: Scorer(load: load, identity: "\(identity) \(state)"))
    }

    /// Identifies the contents at a path: for an adapter, a digest of its weights; for a model,
    /// which may be many gigabytes, names, sizes and dates of its files.
    static func mark(of path: String) throws -> String {
        let url = URL(filePath: path)
        if AdapterFolder(url) != nil {
            let weights = url.appending(path: LoRAFiles.weightsName)
            return FileManager.default.fileExists(atPath: weights.path) ? try FileDigest(of: weights).sha256 : path
        }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted()
        let files = names.isEmpty ? [url] : names.map { url.appending(path: $0) }
        let marks = files.compactMap { file -> String? in
            guard let values = try? FileManager.default.attributesOfItem(atPath: file.path),
                values[.type] as? FileAttributeType == .typeRegular
            else { return nil }
            let date = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(file.lastPathComponent) \(values[.size] as? Int ?? 0) \(date)"
        }
        return ([path] + marks).joined(separator: "\n")
    }

    /// What to load as the reference.
    enum Source {
        case other(String)
        /// The run's model without an adapter, or with its initial adapter.
        case base, start
    }

    private init(model: ReferenceModel, scorer: Scorer?) {
        self.model = model
        self.scorer = scorer
    }
}

/// Log-probabilities of a reference model, stored in a run's folder under a key of their inputs.
struct ReferenceFile: Codable {
    static let name = "reference_log_probs.json"

    /// A digest of the examples and the reference.
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

    /// The scores stored under a key; `nil` if there are none or the key differs.
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
