package import Foundation

extension RunSaving {
    /// The settings that a checkpoint was saved with, key by key; `nil` where it is none of ours, or cannot be read.
    package static func storedSettings(in checkpoint: URL) -> [String: String]? {
        guard let data = try? Data(contentsOf: checkpoint.appending(path: RunState.name)) else { return nil }
        return try? CheckpointStore.decoder.decode(Settings.self, from: data).settings
    }

    /// What a checkpoint's run computed its products by (``ProductKind``); `nil` where that is not said.
    package static func storedProducts(in checkpoint: URL) -> String? {
        guard let data = try? Data(contentsOf: checkpoint.appending(path: RunState.name)) else { return nil }
        return try? CheckpointStore.decoder.decode(Settings.self, from: data).products
    }

    /// The part of ``RunState`` that every version has.
    private struct Settings: Decodable {
        var settings: [String: String]
        var products: String?
    }

    /// Among the settings: the chat template in Jinja, and the date that it writes. Checkpoints before the model's own
    /// template came first have neither.
    package static let templateKey = "data.chat_template (text)"
    package static let dateKey = "data.chat_template (date)"
}
