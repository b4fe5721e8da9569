internal import Foundation
internal import MenoMetrics

/// The language of a report.
package enum ReportLanguage: String, Sendable, CaseIterable {
    case japanese = "ja"
    case english = "en"

    /// The one of the user's settings (`LC_ALL`, `LC_MESSAGES`, `LANG`, the first that is set): Japanese or English.
    package static func preferred(_ environment: [String: String] = ProcessInfo.processInfo.environment)
        -> ReportLanguage
    {
        let settings = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }
        return settings.first { !$0.isEmpty }?.hasPrefix("ja") == true ? .japanese : .english
    }

    func callAsFunction(_ english: String, _ japanese: String) -> String {
        self == .japanese ? japanese : english
    }
}

extension RunOutcome.Reason {
    func title(_ text: ReportLanguage) -> String {
        switch self {
        case .completed: text("completed", "完了")
        case .stoppedEarly: text("stopped early", "早期終了")
        case .interrupted: text("interrupted", "中断")
        case .failed: text("failed", "失敗")
        }
    }
}

extension Alert.Kind {
    func title(_ text: ReportLanguage) -> String {
        switch self {
        case .lossPlateau: text("The loss has stopped falling", "損失が下がらなくなった")
        case .lossDivergence: text("The loss is diverging", "損失が発散している")
        case .lossSpike: text("Spikes in the loss", "損失の急な跳ね上がり")
        case .overfitting: text("Overfitting", "過学習")
        case .noBetterThanFrequencies: text("No better than the tokens' frequencies", "トークンの頻度以上のことを学べていない")
        case .gradientNormOutOfBounds: text("Gradient norm out of bounds", "勾配ノルムが範囲外")
        case .learningRateZero: text("Learning rate effectively zero", "学習率が実質ゼロ")
        case .throughputCollapse: text("Training has slowed down", "学習速度の低下")
        case .memoryGrowth: text("Memory grows", "メモリ使用量の増加")
        case .notFinite: text("Loss or gradient not finite", "損失または勾配が有限でない")
        case .questionsMissing: text("Answers ask no question", "問い返しがない")
        case .answersRepetitive: text("Answers repeat themselves", "回答が繰り返しになっている")
        case .questionsRepeated: text("The same question again and again", "同じ問いばかり返す")
        case .answersEmpty: text("Empty answers", "空の回答")
        case .answersTruncated: text("Answers do not end", "回答が終わらない")
        case .wrongLanguage: text("Answers in another language", "回答の言語が違う")
        case .rewardMarginsExplode: text("Reward margins explode", "報酬の差が膨らみすぎている")
        case .chosenLogProbabilityFalls: text("Chosen completions become less probable", "選ばれた側の確率が下がっている")
        case .preferencesAtChance: text("Preferences are not learnt", "好みを学べていない")
        }
    }

    /// A value of an alert in Japanese, by its key; in English the alert itself says it.
    static func japaneseName(of value: String) -> String { japaneseNames[value] ?? value }

    private static let japaneseNames = [
        "accelerator": "GPU の番号", "best_eval_loss": "最良の評価損失", "best_share": "最良の割合", "share": "割合",
        "best_level": "最良の水準", "best_step": "最良のステップ",
        "best_tokens_per_second": "最速のトークン/秒", "bound": "境界", "eval_loss": "評価損失", "expected_mib": "見込みの MiB",
        "fall_share": "下がった割合", "fall_share_upper": "下がった割合の上限", "grad_norm_median": "勾配ノルムの中央値",
        "label_entropy": "ラベルのエントロピー", "learning_rate": "学習率", "level": "水準", "loss": "損失", "loss_gap": "評価損失 − 学習損失",
        "lower_bound": "下限", "median": "中央値", "memory_mib": "メモリ(MiB)", "mib_per_step": "1ステップの増加(MiB)",
        "mib_per_step_error": "その誤差", "peak": "最大", "remaining_steps": "残りのステップ", "tokens_per_second": "トークン/秒",
        "train_loss": "学習損失", "upper_bound": "上限", "z_score": "z 値",
    ]

    /// What can be done, in Japanese; in English the alert itself says it.
    var japaneseAdvice: String {
        switch self {
        case .lossPlateau: "学習率を上げるか、LoRA のランクを増やしてください。十分に低ければ、ここで終えてもかまいません。"
        case .lossDivergence: "学習率を下げ、ひとつ前のチェックポイントから再開してください。"
        case .lossSpike: "そのステップの記録を確かめてください。続くようなら学習率を下げてください。"
        case .overfitting: "エポック数を減らすか、データを増やすか、lora_dropout を上げてください。最良のチェックポイントは保存されています。"
        case .noBetterThanFrequencies:
            "モデルから見た学習例を確かめてください。語順の崩れた記録や、入力と対応しないラベルからは学べません。ゼロから学習するモデルは、はじめにこの状態を通ります。"
        case .gradientNormOutOfBounds:
            "損失が下がっているなら 監視する勾配ノルムの範囲を広げてください(小さなモデルの勾配は大きめです)。下がらないなら学習率を下げてください。"
        case .learningRateZero: "スケジューラーとステップ数の設定を確かめてください。残りのステップでは何も学習されません。"
        case .throughputCollapse: "ほかの処理が同じ機械で動いていないか、メモリが足りているかを確かめてください。"
        case .memoryGrowth: "増え続けるなら、チェックポイントから再開し、一回の計算に入れるトークン数を小さくしてください。"
        case .notFinite: "記録された行のデータを確かめ、学習率を下げてください。"
        case .questionsMissing: "問いで終わる対話が学習データに足りているかを確かめてください。"
        case .answersRepetitive: "学習しすぎのしるしです。前のチェックポイントの回答と比べてください。"
        case .questionsRepeated: "データの問いかけの種類を増やしてください。"
        case .answersEmpty: "チャットテンプレートと終了トークンの扱いを確かめてください。"
        case .answersTruncated: "終了トークンが学習の対象になっているか、max_new_tokens が足りているかを確かめてください。"
        case .wrongLanguage: "データの言語の割合を確かめてください。"
        case .rewardMarginsExplode: "前のチェックポイントを使うか、学習率を下げるか、beta を上げてください。loss_type: ipo は差を求めすぎません。"
        case .chosenLogProbabilityFalls: "loss_type: [sigmoid, sft] で選ばれた側の尤度を加えるか、学習率を下げるか、beta を上げてください。"
        case .preferencesAtChance: "学習率を上げるか、選ばれた側と退けられた側が入れ替わっていないかを確かめてください。"
        }
    }
}
