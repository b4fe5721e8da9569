internal import Foundation

/// The units that repetition is counted in: characters where a language writes no spaces, words elsewhere.
enum TextUnits {
    /// Longer answers are judged by their beginning, so that the cost of a score is bounded.
    private static let limit = 1500

    /// Letters and digits of the text, in compatibility form and lower case, without punctuation and spaces.
    static func units(_ text: String) -> [String] {
        var units: [String] = []
        var word = ""
        for character in folded(text) {
            guard units.count < limit else { return units }
            if character.isLetter || character.isNumber, !isUnspaced(character) {
                word.append(character)
                continue
            }
            if !word.isEmpty { units.append(word) }
            word = ""
            if isUnspaced(character) { units.append(String(character)) }
        }
        if !word.isEmpty { units.append(word) }
        return units
    }

    /// Letters and digits alone, in compatibility form and lower case, for comparing what was said.
    static func normalized(_ text: String) -> String {
        String(folded(text).filter { $0.isLetter || $0.isNumber }.prefix(limit))
    }

    private static func folded(_ text: String) -> String {
        // Far more characters than units are ever made of them.
        String(text.prefix(8 * limit)).precomposedStringWithCompatibilityMapping.lowercased()
    }

    private static func isUnspaced(_ character: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first else { return false }
        return switch Script(scalar) {
        case .kana, .han, .thai: true
        default: false
        }
    }
}
