/// Questions that a Socratic dialogue may begin with, asked again and again to see how the answers change.
package enum ProbeQuestions {
    package static let japanese = [
        "幸せとは何だと思いますか？", "友達に嘘をつくのは、いつでも悪いことでしょうか。", "勉強する意味がわからなくなりました。",
        "自由とは、好きなことを何でもできることだと思います。",
    ]

    package static let english = [
        "What is happiness?", "Is it always wrong to lie to a friend?", "I no longer see why I should study.",
        "I think freedom means being able to do whatever you like.",
    ]

    /// Those in the language of a text.
    /// - Parameter text: for example some of the data that is trained on.
    package static func bundled(for text: String) -> [String] {
        switch ScriptShares(text).dominant {
        case .kana, .han: japanese
        default: english
        }
    }
}
