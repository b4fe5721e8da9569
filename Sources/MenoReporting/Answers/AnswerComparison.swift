internal import MenoMetrics

/// The answers of two evaluations beside each other, with a form to choose them.
package struct AnswerComparison {
    private let run: RunRecord
    private let title: String
    private let text: ReportLanguage
    private let address: String
    private let steps: [Int]
    private let chosen: [Int]

    /// - Parameters:
    ///   - address: of the run's page, which this one lies under.
    ///   - left, right: steps; the first and the last evaluation with answers unless given.
    package init(
        _ run: RunRecord, title: String, language: ReportLanguage, address: String, left: Int? = nil, right: Int? = nil
    ) {
        self.run = run
        self.title = title
        self.address = address
        text = language
        let steps = run.probes.map(\.step)
        self.steps = steps
        let known = { (step: Int?) in step.flatMap { steps.contains($0) ? $0 : nil } }
        chosen = [known(left) ?? steps.first, known(right) ?? steps.last].compactMap { $0 }
    }

    package var body: HTML {
        """
        <header><h1>\(title)</h1><p><a href="\(address)">\(text("the run", "実行に戻る"))</a></p></header>
        <main><section><h2>\(text("Answers side by side", "回答の比較"))</h2>\(content)</section></main>
        """
    }

    private var content: HTML {
        guard chosen.count == 2 else {
            return "<p>\(text("The model was not asked anything yet.", "まだ質問していません。"))</p>"
        }
        let columns = chosen.map { step in run.probes.last { $0.step == step }?.answers ?? [] }
        let questions = (columns[0] + columns[1]).map(\.question).reduce(into: [String]()) { known, question in
            if !known.contains(question) { known.append(question) }
        }
        let rows = questions.map { question -> HTML in
            let cells = columns.map { answers -> HTML in
                let answer = answers.first { $0.question == question }
                return "<td>\(answer.map { "\($0.answer)" } ?? text("(not asked)", "(質問なし)"))</td>"
            }
            return "<tr><th>\(question)</th>\(cells)</tr>"
        }
        let heads = chosen.map { step -> HTML in
            let loss = run.evaluations.last { $0.step == step }
            let note = loss.map { text("loss \(Self.fixed($0.loss))", "損失 \(Self.fixed($0.loss))") } ?? ""
            return "<td><strong>\(text("step", "ステップ")) \(step)</strong> <span class=\"when\">\(note)</span></td>"
        }
        return """
            <form method="get" action="\(address)/answers" class="control">\(choice("left", chosen[0])) \(choice("right", chosen[1])) \
            <button>\(text("Compare", "比較する"))</button></form>
            <table class="answers side"><tr><th>\(text("question", "質問"))</th>\(heads)</tr>\(rows)</table>
            """
    }

    private func choice(_ name: String, _ chosen: Int) -> HTML {
        let options = steps.map { step -> HTML in
            "<option value=\"\(step)\"\(step == chosen ? " selected" as HTML : "")>\(text("step", "ステップ")) \(step)</option>"
        }
        return "<select name=\"\(name)\" aria-label=\"\(name)\">\(options)</select>"
    }

    private static func fixed(_ value: Double) -> String {
        let text = "\((value * 10_000).rounded() / 10_000)"
        return text
    }
}
