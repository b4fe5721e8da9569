extension RunRecord {
    /// How the run ended, or whether it goes on.
    func state(_ text: ReportLanguage) -> String {
        if let outcome { return outcome.reason.title(text) }
        return switch isRunning {
        case true?: text("running", "実行中")
        case false?: text("broke off", "中断(終了の記録なし)")
        case nil: text("no end recorded: still running, or interrupted", "終了の記録なし(実行中または中断)")
        }
    }
}
