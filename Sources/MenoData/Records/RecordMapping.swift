internal import MenoFormats

/// What a data set calls the parts of its records, where it has names of its own.
public struct RecordMapping: Sendable, Hashable {
    /// The names that shapes are known by: of members of records, of members of turns, and of who speaks.
    public static let records = [
        "messages", "conversations", "prompt", "completion", "response", "chosen", "rejected", "label", "text",
        "instruction",
        "input", "output", "history", "question", "answer", "system", "tools", "input_ids", "labels", "attention_mask",
        "source",
    ]
    /// The members of a turn.
    public static let turns = ["role", "content"]
    /// Who speaks.
    public static let speakers = ["user", "assistant", "tool"]

    /// The data's names, by the usual ones.
    public var names: [String: String]

    /// - Parameter names: the data's names, by the usual ones; others than ``records``, ``turns`` and ``speakers`` are ignored.
    public init(_ names: [String: String] = [:]) { self.names = names }

    /// Members of records that may hold turns.
    private static let dialogues = [
        "messages", "conversations", "conversation", "prompt", "completion", "chosen", "rejected",
    ]

    /// A record with the usual names.
    func applied(to value: JSONValue) -> JSONValue {
        guard !names.isEmpty, let members = value.object else { return value }
        var renamed = rename(members, Self.records)
        guard (Self.turns + Self.speakers).contains(where: { names[$0] != nil }) else { return .object(renamed) }
        for index in renamed.indices where Self.dialogues.contains(renamed[index].key) {
            var turns = renamed[index].value
            if let text = turns.string, let parsed = try? JSONReader.value(of: text), parsed.array != nil {
                turns = parsed
            }
            guard let array = turns.array else { continue }
            renamed[index].value = .array(array.map(turn))
        }
        return .object(renamed)
    }

    private func turn(_ value: JSONValue) -> JSONValue {
        guard let members = value.object else { return value }
        var renamed = rename(members, Self.turns)
        guard let index = renamed.firstIndex(where: { $0.key == "role" || $0.key == "from" }) else {
            return .object(renamed)
        }
        let speaker = Self.speakers.first { names[$0] == renamed[index].value.string }
        if let speaker { renamed[index].value = .string(speaker) }
        return .object(renamed)
    }

    /// Members under their usual names. One that has such a name already, and is meant for something else, is left out.
    private func rename(_ members: [JSONValue.Member], _ usual: [String]) -> [JSONValue.Member] {
        let pairs = usual.compactMap { name in names[name].map { (usual: name, given: $0) } }
        guard !pairs.isEmpty else { return members }
        return members.compactMap { member in
            if let pair = pairs.first(where: { $0.given == member.key }) { return .init(pair.usual, member.value) }
            let isTaken = pairs.contains { pair in
                pair.usual == member.key && members.contains { $0.key == pair.given }
            }
            return isTaken ? nil : member
        }
    }
}

extension RecordMapping: CustomStringConvertible {
    /// In the order of the usual names, so that equal mappings are written alike.
    public var description: String {
        names.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    }
}
