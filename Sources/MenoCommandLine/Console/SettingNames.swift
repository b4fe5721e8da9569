import MenoConfiguration
import MenoErrors

/// How an error names the settings that its advice is about: as the command was given them.
enum SettingNames {
    /// By the keys of `RUN.yaml`, where there is one.
    case keys
    /// By the options of the command, where there is one.
    case options
    /// The same, of a command whose argument is the data.
    case optionsBesideData

    fileprivate func text(_ entry: SuggestedSettings.Entry) -> String {
        let option = entry.setting.option
        if let option, self != .keys || entry.setting.keys.isEmpty {
            return [option, entry.value].compactMap(\.self).joined(separator: " ")
        }
        return entry.setting.keys.map { key in entry.value.map { "\(key): \($0)" } ?? key }.joined(separator: ", ")
    }
}

extension MenoError {
    /// The error, with the names by which its settings are given.
    func text(_ names: SettingNames) -> String {
        let entries = settings.entries.filter { names != .optionsBesideData || $0.setting != .dataPath }
        guard !entries.isEmpty else { return description }
        let separator = names == .keys ? ", " : " "
        return "\(description) (\(entries.map(names.text).joined(separator: separator)))"
    }
}

extension Setting {
    /// The option, or the command, that makes this choice.
    fileprivate var option: String? {
        switch self {
        case .model: "--model"
        case .adapter: "--adapter"
        case .device: "--device"
        case .dtype: "--dtype"
        case .dataPath: "--data"
        case .chatTemplate: "--chat-template"
        case .modelDownload: "meno models fetch"
        case .resumption: "--resume auto"
        case .allowedChanges: "--allow-changes"
        case .overwrites: "--overwrite"
        case .verification: "--no-verify"
        case .outputFolder: "--output"
        default: nil
        }
    }
}
