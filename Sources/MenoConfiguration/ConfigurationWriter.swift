extension RunConfiguration {
    /// The configuration as YAML with every key, which reads back as the same configuration.
    package var yaml: String {
        var lines: [String] = []
        var section: String?
        for key in ConfigurationKey.all {
            if key.section == "lora", lora == nil {
                if section != "lora" { lines += ["", "lora: null"] }
                section = key.section
                continue
            }
            let parents = key.path.split(separator: ".").dropLast()
            if key.section != section {
                // Nested sections come after a section's keys.
                if parents.count == 1 { lines.append("") }
                lines.append(indent(parents.count - 1) + "\(parents.last ?? ""):")
                section = key.section
            }
            lines.append(indent(parents.count) + "\(key.name): \(key.write(self))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
}

extension RunConfiguration {
    /// Every key for programs that compare runs: keys of `training` with the names of `TrainingArguments`, others with their
    /// section. Keys with a user's command are left out, since it may contain a secret.
    package var trackedSettings: [(name: String, value: String)] {
        ConfigurationKey.all.filter { $0.path != "monitor.alert_command" }.map { key in
            (
                key.section == "training" ? key.name : key.path,
                key.section == "lora" && lora == nil ? "null" : key.write(self)
            )
        }
    }
}

extension RunConfiguration {
    /// The values of the keys that change what a run computes, beyond rounding; a checkpoint can only be resumed with the same
    /// values.
    package var resultSettings: [String: String] {
        Dictionary(
            uniqueKeysWithValues: ConfigurationKey.all.compactMap { key in
                if !key.affectsResult { return nil }
                let value = key.section == "lora" && lora == nil ? "(none)" : key.write(self)
                // Early checkpoints do not have this key; their weights were dense.
                if key.path == ConfigurationKey.weightsPath, value == "dense" { return nil }
                // Checkpoints of versions without this key do not have it either.
                if ConfigurationKey.addedLater.contains(key.path), [key.defaultValue, "(none)"].contains(value) {
                    return nil
                }
                return (key.path, value)
            })
    }
}

extension ConfigurationKey {
    /// The reference of every key, in Markdown.
    package static var reference: String {
        var text =
            "# Keys of RUN.yaml\n\nThis page describes every key of a run's configuration. `meno keys` prints it. A complete configuration is in "
            + "[train.md](train.md#what-is-in-runyaml).\n"
        var section: String?
        for key in all {
            if key.section != section {
                section = key.section
                text += "\n## `\(section ?? "")`\n"
            }
            text += "\n### `\(key.path)`\n\n\(key.meaning)"
            if let caveat = key.caveat { text += " \(caveat)" }
            text +=
                "\n\n- Default: `\(key.defaultValue)`\n- Value: \(key.expected)\n- Example: `\(key.name): \(key.example)`\n"
        }
        text += "\n## Alternative names\n\n"
        for (other, key) in synonyms.sorted(by: { $0.key < $1.key }) { text += "- `\(other)` is `\(key)`.\n" }
        for choice in translated {
            text += "- `\(choice.path)`: "
            text +=
                choice.meanings.map { meaning in
                    "`\(meaning.value)` is "
                        + meaning.keys.map { "`\($0.path): \($0.value)`" }.joined(separator: " and ")
                }.joined(separator: ", ") + ".\n"
        }
        text += """

            ## Other keys of Trainer and PEFT

            Meno accepts these keys with the values in the second column (and with null), and they have no effect. It refuses other
            values with the reason in the third column.

            | key | accepted values | reason |
            |---|---|---|

            """
        for key in foreign {
            text += "| `\(key.path)` | \(key.acceptedText) | \(key.reason.replacing("|", with: "\\|")) |\n"
        }
        return text
    }
}
