import Foundation
import MenoTesting
import Testing

/// Dialogues with a model that brings its own chat template.
@Suite struct DialogueTests {
    private let tiny = try! TinyModel()

    private func prepare(template: String) throws {
        try Data(template.utf8).write(to: tiny.model.appending(path: "chat_template.jinja"))
        let words = ["virtue", "meno", "can it be taught", "and what is it"]
        let lines = (0..<20).map { index in
            let (question, answer) = (words[index % 4], words[(index * 3 + 1) % 4])
            return
                #"{"messages": [{"role": "user", "content": "\#(question)"}, {"role": "assistant", "content": "\#(answer)?"}]}"#
        }
        try lines.joined(separator: "\n").write(to: tiny.data, atomically: true, encoding: .utf8)
    }

    /// What the seconds of the present are as letters.
    private static let seconds =
        "{% set s = strftime_now('%S') | int %}{{ 'abcdefghij'[s % 10] }}{{ 'klmnop'[s // 10] }} "
        + "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ '.' }}{% else %}{{ ' ' }}{% endif %}{% endfor %}"

    /// Resumed at another time, a run whose template writes the time keeps the time of its start.
    @Test func aRunKeepsItsDate() throws {
        try prepare(template: Self.seconds)
        let keys = "max_steps: 4, save_strategy: steps, save_steps: 2, eval_strategy: no, learning_rate: 5.0e-3"
        let first = try tiny.train(keys)
        #expect(first.status == 0, "\(first.errors)")
        let weights = { try Data(contentsOf: tiny.run.appending(path: "model/adapter_model.safetensors")) }
        let unbroken = try weights()
        Thread.sleep(forTimeInterval: 1.1)
        let middle = tiny.run.appending(path: "model/checkpoint-2").path
        let resumed = try tiny.train(keys, ["--resume", middle])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try weights() == unbroken)
        let state = try String(
            contentsOf: tiny.run.appending(path: "model/checkpoint-4/run_state.json"), encoding: .utf8)
        #expect(state.contains("data.chat_template (date)") && state.contains("strftime_now"))
    }

    /// A model's own template may change under a run; the run keeps the one that it began with.
    @Test func aRunKeepsItsTemplate() throws {
        let plain = Self.seconds.replacing(
            "{% set s = strftime_now('%S') | int %}{{ 'abcdefghij'[s % 10] }}{{ 'klmnop'[s // 10] }} ", with: "")
        try prepare(template: plain)
        let keys = "max_steps: 4, save_strategy: steps, save_steps: 2, eval_strategy: no, learning_rate: 5.0e-3"
        #expect(try tiny.train(keys).status == 0)
        let weights = { try Data(contentsOf: tiny.run.appending(path: "model/adapter_model.safetensors")) }
        let unbroken = try weights()
        try prepare(template: "x " + plain)
        let middle = tiny.run.appending(path: "model/checkpoint-2").path
        let resumed = try tiny.train(keys, ["--resume", middle])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try weights() == unbroken)
        // Another template that is asked for is another run.
        let other = tiny.folder.url.appending(path: "other.jinja")
        try Data(plain.utf8).write(to: other)
        let refused = try tiny.train(keys, ["--resume", middle, "--set", "data.chat_template=\(other.path)"])
        #expect(refused.status == 65 && refused.errors.contains("data.chat_template was auto"), "\(refused.errors)")
    }

    @Test func valuesForTheTemplateAreGivenOnTheCommandLine() throws {
        try prepare(
            template: "{{ mood }}{{ tools[0].name if tools }} {% for m in messages %}{{ m.content }} {% endfor %}")
        let tools = tiny.folder.url.appending(path: "tools.json")
        try Data(#"[{"name": "ask"}]"#.utf8).write(to: tools)
        let base = ["evaluate", "--model", tiny.model.path, "--data", tiny.data.path, "--dtype", "float32", "--json"]
        let losses = try [
            [], ["--template-kwargs", #"{"mood": "again"}"#], ["--tools", tools.path], ["--system", "be brief"],
        ].map { arguments in
            let result = try meno(base + arguments)
            #expect(result.status == 0, "\(result.errors)")
            let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            return try #require(object?["tokens"] as? Int)
        }
        #expect(losses[1] - losses[0] == 20 * 5 && losses[2] - losses[0] == 20 * 3 && losses[3] - losses[0] == 20 * 9)
        let broken = try meno(base + ["--template-kwargs", "{mood}"])
        #expect(broken.status == 65 && broken.errors.contains("--template-kwargs"), "\(broken.errors)")
        let chat = try meno(
            "chat", "--model", tiny.model.path, "--prompt", "what is virtue", "--max-new-tokens", "2",
            "--template-kwargs",
            #"{"mood": "again", "tone": 1}"#)
        #expect(chat.status == 0 && chat.errors.contains("does not read \"tone\""), "\(chat.errors)")
        #expect(!chat.errors.contains("\"mood\""))
    }

    /// The keys that say what is learnt and what the template is given.
    @Test func theKeysReachTheExamples() throws {
        try prepare(template: "{{ mood }} {% for m in messages %}{{ m.content }} {% endfor %}")
        let trained = try tiny.train(
            "max_steps: 1, eval_strategy: no",
            ["--set", "data.chat_template_kwargs={mood: zzz}", "--set", "data.loss_on=last_completion"])
        #expect(trained.status == 0 && trained.errors.contains("│ zzz "), "\(trained.errors)")
        let written = try String(contentsOf: tiny.run.appending(path: "run.yaml"), encoding: .utf8)
        #expect(
            written.contains(#"chat_template_kwargs: {"mood": "zzz"}"#) && written.contains("loss_on: last_completion"))
    }
}
