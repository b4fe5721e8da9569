/// What records are like, all together.
package struct DataSummary: Sendable, Hashable, Codable {
    /// Numbers in order.
    package struct Spread: Sendable, Hashable, Codable {
        package var least: Int
        package var half: Int
        package var nineTenths: Int
        package var most: Int
        package var total: Int
    }

    package struct Share: Sendable, Hashable, Codable {
        package var name: String
        package var records: Int
    }

    package var records: Int
    /// Of a record; of tokens where it was tokenized before.
    package var characters: Spread?
    /// Of a dialogue.
    package var turns: Spread?
    /// Records that have a chosen and a rejected side.
    package var pairs: Int
    /// The most frequent first.
    package var shapes: [Share]
    package var sources: [Share]
    /// A guess: the script that most letters of a record are of.
    package var languages: [Share]
    /// Records that equal an earlier one but for white space.
    package var duplicates: Int
}
