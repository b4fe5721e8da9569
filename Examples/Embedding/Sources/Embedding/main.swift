import Meno

// Usage: Embedding MODEL DIALOGUES FOLDER [STEPS]
let arguments = CommandLine.arguments
guard arguments.count > 3 else { fatalError("usage: Embedding MODEL DIALOGUES FOLDER [STEPS]") }
let (model, dialogues, folder) = (arguments[1], arguments[2], arguments[3])

var configuration = RunConfiguration(model: model, data: dialogues, output: folder)
if arguments.count > 4 { configuration.training.maxSteps = Int(arguments[4]) }
configuration.data.maxLength = 128
for try await event in FineTuning(configuration, overwrites: true).events() {
    if case .step(let step) = event { print("step \(step.step): loss \(step.loss)") }
}

var options = EvaluationOptions()
options.maxSamples = 8
options.maxLength = 128
let before = try await LanguageModel.load(model).evaluate(dialogues, options)
let tuned = try await LanguageModel.load(model, adapter: folder + "/model")
let after = try await tuned.evaluate(dialogues, options)
print("perplexity \(before.perplexity) before, \(after.perplexity) after")

for try await text in tuned.stream("勇気とは何ですか。") { print(text, terminator: "") }
