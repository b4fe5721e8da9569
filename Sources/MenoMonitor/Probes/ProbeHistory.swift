internal import MenoMetrics

/// How the answers to the probe questions change over a run, and when they become trouble.
package struct ProbeHistory: Sendable, Hashable, Codable {
    /// A question that was given back to a probe.
    private struct Asked: Sendable, Hashable, Codable {
        var probe: String
        var question: String
    }

    /// Oldest first.
    package private(set) var scores: [ProbeScores] = []

    private var recent: [[Asked]] = []
    private var bestAskingShare: Double?
    private var episodes: [Alert.Kind: Episode] = [:]

    init() {}

    mutating func observe(_ answers: [ProbeAnswer], step: Int, totalSteps: Int, thresholds: ProbeThresholds)
        -> [AlertChange]
    {
        guard !answers.isEmpty else { return [] }
        let scored = answers.map { AnswerScores($0, thresholds: thresholds) }
        let asked = zip(answers, scored).compactMap { answer, scores in
            scores.questions.last.map { Asked(probe: answer.question, question: TextUnits.normalized($0)) }
        }
        let entry = ProbeScores(step: step, answers: scored, sameQuestions: sameQuestions(asked, thresholds))
        scores.append(entry)
        recent.append(asked)
        recent = recent.suffix(max(0, thresholds.sameQuestionMemory))
        // What the model said before it was trained is where it started, not trouble.
        guard step > 0 else {
            bestAskingShare = entry.askingShare
            return []
        }
        let changes = judge(entry, totalSteps: totalSteps, thresholds)
        bestAskingShare = max(bestAskingShare ?? 0, entry.askingShare)
        return changes
    }

    /// A probe that gets the question it got before is no trouble: a model that is done learning answers alike.
    private func sameQuestions(_ asked: [Asked], _ thresholds: ProbeThresholds) -> Int {
        let others = asked + recent.suffix(max(0, thresholds.sameQuestionMemory)).flatMap { $0 }
        return asked.filter { mine in
            others.contains {
                $0.probe != mine.probe
                    && Repetition.similarity($0.question, mine.question) >= thresholds.sameQuestionSimilarity
            }
        }.count
    }

    private mutating func judge(_ entry: ProbeScores, totalSteps: Int, _ thresholds: ProbeThresholds) -> [AlertChange] {
        let isLate = totalSteps > 0 && entry.step >= totalSteps - totalSteps / 2
        let fall = (bestAskingShare ?? 0) - entry.askingShare
        let findings = [
            ProbeFinding(
                .questionsMissing, value: entry.askingShare,
                isTrouble: (isLate && entry.askingShare < thresholds.minAskingShare) || fall > thresholds.maxAskingFall,
                extra: ["best_share": bestAskingShare ?? 0]),
            ProbeFinding(.answersRepetitive, value: entry.repetitiveShare, bound: thresholds.maxRepetitiveShare),
            ProbeFinding(.questionsRepeated, value: entry.sameQuestionShare, bound: thresholds.maxSameQuestionShare),
            ProbeFinding(.answersEmpty, value: entry.emptyShare, bound: thresholds.maxEmptyShare),
            ProbeFinding(.answersTruncated, value: entry.truncatedShare, bound: thresholds.maxTruncatedShare),
            ProbeFinding(.wrongLanguage, value: entry.wrongLanguageShare, bound: thresholds.maxWrongLanguageShare),
        ]
        return findings.compactMap { finding in
            var episode = episodes[finding.kind] ?? Episode()
            defer { episodes[finding.kind] = episode }
            let verdict = Verdict(trouble: finding.isTrouble, fine: !finding.isTrouble)
            return episode.observe(verdict, step: entry.step, raiseAfter: 2, clearAfter: 2) { start in
                finding.alert(from: start, at: entry)
            }
        }
    }
}
