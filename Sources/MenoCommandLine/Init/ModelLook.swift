import Foundation
import Meno
import MenoHub
import MenoModels
import MenoTensor
import MenoTraining

/// What is known about a model without loading its weights. Nothing is downloaded.
struct ModelLook {
    var name: String
    /// `nil` if it has not been downloaded.
    var parameters: Int?
    var architecture: String?
    var context: Int?
    var tokenized: TokenizedModel?
    /// Whether every weight can be trained, which is not possible for a GGUF file.
    var isFolder = false
    /// Memory available for a run, in bytes.
    let available: Int?

    init(_ name: String, log: ConsoleLog) throws {
        self.name = name
        available = MemoryLimit.available(on: .cpu)
        let reference = try ModelReference(name)
        switch reference {
        case .path: break
        case .named(let model): guard model.isFetched else { return }
        case .hub(let hub):
            guard let cache = try? HubSettings().cache, CachedModel.all(in: cache).contains(where: { $0.id == hub.id })
            else { return }
        }
        let url = try reference.locate(log: log)
        let files = try ModelFiles(url)
        parameters = files.parameterCount
        architecture = files.configuration.modelType
        context = files.configuration.maximumPositions
        isFolder = FileManager.default.fileExists(atPath: url.appending(path: "config.json").path)
        tokenized = try? TokenizedModel(name, log: log)
    }

    /// `llama, 135 million parameters`
    var text: String {
        guard let parameters, let architecture else {
            return "not downloaded yet; the values below suit models of any size"
        }
        let millions = Double(parameters) / 1e6
        let count =
            millions < 1000 ? "\(Int(millions.rounded())) million" : String(format: "%.1f billion", millions / 1000)
        return "\(architecture), \(millions < 1 ? "\(parameters)" : count) parameters"
    }

    /// Whether bfloat16 weights leave enough memory for a run.
    var fitsUnquantized: Bool {
        guard let parameters, let available else { return true }
        return 2 * parameters < available / 10 * 6
    }
}
