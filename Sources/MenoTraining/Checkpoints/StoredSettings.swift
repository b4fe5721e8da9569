package import Foundation

extension RunSaving {
    /// The settings that a checkpoint was saved with, key by key; `nil` where it is none of ours, or cannot be read.
    package static func storedSettings(in checkpoint: URL) -> [String: String]? {
        guard let data = try? Data(contentsOf: checkpoint.appending(path: RunState.name)) else { return nil }
        return try? CheckpointStore.decoder.decode(Settings.self, from: data).settings
    }

    /// The part of ``RunState`` that every version has.
    private struct Settings: Decodable { var settings: [String: String] }

    /// Among the settings: the chat template in Jinja, and the date that it writes. Checkpoints before the model's own
    /// template came first have neither.
    package static let templateKey = "data.chat_template (text)"
    package static let dateKey = "data.chat_template (date)"
}
