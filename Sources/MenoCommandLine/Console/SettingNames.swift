import MenoConfiguration
import MenoErrors

/// How an error names the settings in its advice: in the form that the user gave them.
enum SettingNames {
    /// As keys of `RUN.yaml`, if there is such a key.
    case keys
    /// As options of the command, if there is such an option.
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
    /// The error's text, with its settings named this way.
    func text(_ names: SettingNames) -> String {
        let entries = settings.entries.filter { names != .optionsBesideData || $0.setting != .dataPath }
        guard !entries.isEmpty else { return description }
        let separator = names == .keys ? ", " : " "
        return "\(description) (\(entries.map(names.text).joined(separator: separator)))"
    }
}

extension Setting {
    /// The option or command that makes this choice.
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
