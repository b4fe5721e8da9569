internal import Foundation
package import MenoModels
internal import MenoTensor
package import MenoTokenizers

/// Compares an exported model with the trained one: what the template makes of conversations, what ends an answer, and the
/// losses of some texts.
package enum ExportVerification {
    /// A text and what of it is predicted.
    package struct Sample: Sendable {
        package var ids: [TokenID]
        /// −100 where nothing is predicted.
        package var labels: [TokenID]

        package init(ids: [TokenID], labels: [TokenID]) {
            self.ids = ids
            self.labels = labels
        }
    }

    /// The mean loss of each sample, in nats a label.
    package static func losses(of model: Decoder, _ samples: [Sample]) throws -> [Double] {
        try withoutGradient {
            try samples.map { sample in
                let layout = SequenceLayout(lengths: [sample.ids.count])
                let values = try model.loss(inputIDs: sample.ids, labels: sample.labels, layout: layout).losses.values
                return values.reduce(0) { $0 + Double($1) } / Double(max(1, values.count))
            }
        }
    }

    // MARK: Losses

    /// How far the loss of a sample may be from the trained model's, in nats a label.
    ///
    /// About three times what `Tests/Reference/compare_exports.py` measured as the largest of 12 to 24 texts of SmolLM2 with a
    /// trained adapter (float32 1.3e-6, float16 4.1e-4, bfloat16 4.0e-3, eight bits 7.0e-3, six 2.7e-2, five 0.28, four 0.32), and of
    /// a tiny Gemma in float16 (3.0e-3). With five and four bits losses tell little: there the weights are what catches a wrong
    /// adapter (``requireChange(_:storage:)``).
    package static func bound(_ storage: Storage) -> Double {
        switch storage {
        case .float32: 0.0005
        case .float16: 0.008
        case .bfloat16: 0.02
        case .eightBits: 0.03
        case .sixBits: 0.08
        case .fiveBits: 0.8
        case .fourBits: 1
        }
    }

    /// The coarsest number that an export holds weights in.
    package enum Storage: Sendable, CaseIterable {
        case float32, float16, bfloat16, eightBits, sixBits, fiveBits, fourBits
    }

    /// What was found.
    package struct Outcome: Sendable {
        package var trained: Double
        package var exported: Double
        /// Of the model without what it learnt; `nil` where it was not computed.
        package var base: Double?
        package var largestDifference: Double
        package var bound: Double

        /// The share of what was learnt, by the loss, that the export has; `nil` where training changed too little to tell.
        package var learntShare: Double? {
            guard let base, base - trained > 0.01 else { return nil }
            return (base - exported) / (base - trained)
        }
    }

    /// - Throws: ``ExportError`` where a difference is above the format's bound.
    package static func compare(
        trained: [Double], exported: [Double], base: [Double]?, storage: Storage
    ) throws -> Outcome {
        let mean = { (values: [Double]) in values.reduce(0, +) / Double(max(1, values.count)) }
        let differences = zip(trained, exported).map { abs($0 - $1) }
        let outcome = Outcome(
            trained: mean(trained), exported: mean(exported), base: base.map(mean),
            largestDifference: differences.max() ?? 0, bound: bound(storage))
        // NaN is above every bound.
        guard trained.count == exported.count, differences.allSatisfy({ $0 <= outcome.bound }) else {
            let worst = differences.indices.max { differences[$0] < differences[$1] } ?? 0
            throw ExportError(
                .differs,
                "the exported model's loss on text \(worst + 1) is \(exported[worst]), the trained model's "
                    + "\(trained[worst]): a difference above \(outcome.bound), the bound of this format.",
                advice:
                    "The export was discarded. Please report this; you can also export without the comparison.",
                settings: [.verification])
        }
        return outcome
    }

    // MARK: Weights

    /// How far the share of the adapter's change that the export holds may be from 1, beside four standard deviations of rounding.
    ///
    /// Where a base is quantised, its numbers lie on a grid, and small changes of them are rounded alike: SmolLM2's Q4_1 in Q5_0 holds
    /// 91 %. An adapter scaled by one half is half of the change in every format.
    package static func changeBound(_ storage: Storage) -> Double {
        switch storage {
        case .float32, .float16, .bfloat16, .eightBits, .sixBits: 0.1
        case .fiveBits, .fourBits: 0.25
        }
    }

    /// - Parameter share: `nil` where nothing was changed.
    /// - Throws: ``ExportError`` where the export holds much less or more of what was learnt than the trained model.
    package static func requireChange(_ share: MergedModel.ChangeShare?, storage: Storage) throws {
        guard let share, tells(share, storage), !(abs(share.value - 1) <= changeBound(storage) + 4 * share.deviation)
        else {
            return
        }
        throw ExportError(
            .differs,
            "the exported weights keep \(String(format: "%.0f", 100 * share.value)) % of the adapter's change.",
            advice: "The export was discarded. Please report this; you can also export without the comparison.",
            settings: [.verification]
        )
    }

    /// Whether a share tells anything. Where the base's numbers are ones that the format has, as bfloat16 in a bfloat16 base,
    /// smaller changes than half a step are lost as a whole, with no error in the export.
    private static func tells(_ share: MergedModel.ChangeShare, _ storage: Storage) -> Bool {
        // Half a step, in the root mean square of the weights.
        let half: Double =
            switch storage {
            case .float32: 0x1p-24
            case .float16: 0x1p-11
            case .bfloat16: 0x1p-8
            case .eightBits: 0.008
            case .sixBits: 0.03
            case .fiveBits: 0.06
            case .fourBits: 0.12
            }
        // Errors of the usual size say that the base's numbers are none of the format's.
        return !(share.relativeChange < 2 * half) || share.relativeNoise >= 0.3 * half
    }

    // MARK: Texts

    /// Conversations that show what templates differ in: a system text, several turns, spaces and line breaks around.
    private static let conversations: [[ChatMessage]] = [
        [ChatMessage(.user, "What is courage?")],
        [
            ChatMessage(.user, " 勇気とは何ですか。\n"), ChatMessage(.assistant, "君はどう思うのかね？"),
            ChatMessage(.user, "Not to fear.  \n\nIs it?"),
        ],
        [ChatMessage(.system, "Answer by asking."), ChatMessage(.user, "What is piety?")],
    ]

    /// Compares the tokens of texts, the template, and the tokens that end an answer.
    /// - Parameters:
    ///   - template: the one trained with; `nil`: there is none.
    ///   - exported: the tokenizer that the export holds.
    /// - Throws: ``ExportError`` with what differs.
    package static func compareTexts(
        template: ChatTemplate?, tokenizer: Tokenizer, exported: Tokenizer
    ) throws {
        try requireSameMarkers(template, tokenizer, exported)
        for text in conversations.joined().map(\.content) + ["is it so, meno?"] {
            let expected = tokenizer.encode(text, addSpecialTokens: true).ids
            // What a tokenizer has no token for is nothing that a model was trained on.
            if let unknown = tokenizer.unknownID, expected.contains(unknown) { continue }
            let found = exported.encode(text, addSpecialTokens: true).ids
            guard found == expected else {
                throw ExportError(
                    .differs,
                    "the exported tokenizer gives other tokens for \"\(text)\": \(found) instead of \(expected).")
            }
        }
        guard let template else { return }
        let other: ChatTemplate
        do {
            other = try ChatTemplate.named("tokenizer", for: exported)
        } catch {
            throw ExportError(.differs, "the exported chat template cannot be read: \(error)")
        }
        for conversation in conversations {
            for opens in [true, false] {
                let ids = { (template: ChatTemplate, tokenizer: Tokenizer) in
                    tokenizer.encode(try template.render(conversation, addGenerationPrompt: opens)).ids
                }
                // Some templates take no system text: then the exported one must not take it either.
                let expected = try? ids(template, tokenizer)
                let found = try? ids(other, exported)
                guard expected == found else {
                    throw ExportError(
                        .differs,
                        "the exported chat template renders a conversation of \(conversation.count) turns differently:\n"
                            + "trained with  \(expected.map { tokenizer.decode($0) } ?? "(refused)")\n"
                            + "exported      \(found.map { exported.decode($0) } ?? "(refused)")\n")
                }
            }
        }
    }

    private static func requireSameMarkers(
        _ template: ChatTemplate?, _ tokenizer: Tokenizer, _ exported: Tokenizer
    ) throws {
        let name = { (id: TokenID?) in id.map { "\($0)" } ?? "none" }
        guard tokenizer.eosID == exported.eosID else {
            throw ExportError(
                .differs,
                "the exported model ends texts with the token \(name(exported.eosID)), the trained one with "
                    + "\(name(tokenizer.eosID)).")
        }
        guard tokenizer.bosID == exported.bosID, tokenizer.addsBOS == exported.addsBOS else {
            throw ExportError(
                .differs,
                "the exported model begins texts with the token \(name(exported.bosID)), the trained one with "
                    + "\(name(tokenizer.bosID)).")
        }
        let ends = Set(tokenizer.endOfTurnIDs + [template?.endOfTurn.flatMap(tokenizer.id)].compactMap { $0 })
        let missing = ends.subtracting(exported.endOfTurnIDs)
        guard missing.isEmpty else {
            throw ExportError(
                .differs,
                "answers of the exported model do not end at the token "
                    + missing.sorted().map { "\"\(tokenizer.token(of: $0) ?? "")\" (\($0))" }.joined(separator: ", ")
                    + ".")
        }
    }
}

extension ExportVerification.Storage {
    /// The coarsest number of a file of this type.
    package init(_ type: GGUFFileType) {
        self =
            switch type {
            case .F32: .float32
            case .F16: .float16
            case .BF16: .bfloat16
            case .Q8_0: .eightBits
            case .Q6_K: .sixBits
            case .Q5_K_M: .fiveBits
            case .Q4_0, .Q4_K_M: .fourBits
            }
    }
}
