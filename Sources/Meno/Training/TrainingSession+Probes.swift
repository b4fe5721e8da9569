internal import MenoTokenizers
package import MenoTraining

extension TrainingSession {
    /// Estimates the seconds that probe questions will take from the time of one answer. They are
    /// asked after each evaluation until they have used up their share of the time.
    package func probeSeconds(_ forecast: RunForecast) throws -> Double {
        let settings = configuration.monitor
        guard settings.isEnabled, settings.probing == .evaluation, forecast.evaluations > 0, let template,
            let question = probeQuestions.first
        else { return 0 }
        let clock = ContinuousClock()
        let time = try clock.measure {
            _ = try model.answer(
                [ChatMessage(.user, question)], template: template, sampling: .greedy,
                maxNewTokens: settings.probeMaxNewTokens)
        }
        let round = time / .seconds(1) * Double(probeQuestions.count)
        let others = forecast.trainingSeconds + forecast.evaluationSeconds
        let share = settings.probeMaxShare < 1 ? settings.probeMaxShare / (1 - settings.probeMaxShare) : .infinity
        return min(round * Double(forecast.evaluations), max(round, share * others))
    }
}
