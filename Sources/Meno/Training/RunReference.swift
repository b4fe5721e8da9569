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
        /// Loads another model, which is let go before the first step; `nil`: the run's own as it is before that.
        var load: (() throws -> Decoder)?
        /// With which adapters, of that model.
        var adapters: AdapterSnapshot?
        /// What tells the reference apart from others.
        var identity: String
    }

    static var none: RunReference { RunReference(model: .none, scorer: nil) }

    /// - Parameters:
    ///   - model: of the run, before its first step.
    ///   - adapter: what its adapter begins with; `nil`: a new one, or none.
    ///   - identity: what tells the run's model apart.
    ///   - loads: loads a model: another one, or the run's own as it is without any adapter or before any training.
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
        // What is trained beside adapters is changed in its place: asked for in steps, its start needs a copy.
        guard !options.needsReferenceInSteps else {
            self.init(model: .decoder(try loads(isBase ? .base : .start)), scorer: nil)
            return
        }
        // A saved adapter brings such modules along, so that the model without it is another one.
        var load: (() throws -> Decoder)?
        if isBase, adapter != nil { load = { try loads(.base) } }
        let state = isBase ? "base" : try Self.mark(of: adapter ?? "")
        self.init(
            model: .none,
            scorer: Scorer(load: load, identity: "\(identity) \(state)"))
    }

    /// What tells apart what lies at a path, whatever lay there before: of an adapter the digest of its weights; of a model,
    /// which may have many gigabytes, names, sizes and dates of its files.
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

    /// What is loaded to be a reference.
    enum Source {
        case other(String)
        /// The run's model without an adapter, and with the one that it begins with.
        case base, start
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
