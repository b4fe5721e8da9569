package import Foundation

extension RunSaving {
    /// What a checkpoint says before a model is loaded: the part of ``RunState`` that every version has.
    package struct Stored: Decodable {
        /// The settings that it was saved with, key by key.
        package let settings: [String: String]
        /// What its run computed products by (``ProductKind``); `nil` where that is not said.
        package let products: String?
    }

    /// - Returns: `nil` where the checkpoint is none of ours, or cannot be read.
    package static func stored(in checkpoint: URL) -> Stored? {
        guard let data = try? Data(contentsOf: checkpoint.appending(path: RunState.name)) else { return nil }
        return try? CheckpointStore.decoder.decode(Stored.self, from: data)
    }

    /// Among the settings: the chat template in Jinja, and the date that it writes. Checkpoints before the model's own
    /// template came first have neither.
    package static let templateKey = "data.chat_template (text)"
    package static let dateKey = "data.chat_template (date)"
}
