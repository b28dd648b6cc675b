using System.CommandLine;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform infer</c>: streams one completion and says where its time went.</summary>
internal static class InferVerb
{
    public static Command Create()
    {
        var prompt = new Argument<string>("prompt") { Description = "The text to continue" };
        var model = new Option<string>("--model", "-m") { Description = "Name of the model", Required = true };
        var maxTokens = new Option<int>("--max-tokens", "-n") { Description = "Tokens to make at most", DefaultValueFactory = _ => 128 };
        var temperature = new Option<double>("--temperature", "-t") { Description = "0 is greedy, up to 2", DefaultValueFactory = _ => 0 };
        var seed = new Option<long?>("--seed") { Description = "Seed of the sampling" };
        var verb = ExampleHelp.Add(new Command("infer", "Stream a completion to standard output; where the time went goes to standard error.") { prompt, model, maxTokens, temperature, seed, CommonOptions.Json }, "platform infer -m demo \"Once upon a time\" --max-tokens 60");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var request = new JsonObject
            {
                ["model"] = command.GetValue(model),
                ["prompt"] = command.GetValue(prompt),
                ["max_tokens"] = command.GetValue(maxTokens),
                ["temperature"] = command.GetValue(temperature),
            };
            if (command.GetValue(seed) is { } value)
            {
                request["seed"] = value;
            }

            var json = command.GetValue(CommonOptions.Json);
            var report = new CompletionReport();
            var text = new System.Text.StringBuilder();
            await foreach (var piece in client.CompleteAsync(request, report, cancellationToken))
            {
                text.Append(piece);
                if (!json)
                {
                    Console.Write(piece);
                }
            }

            if (json)
            {
                Console.WriteLine(ToJson(text.ToString(), report).ToJsonString());
                return ExitCodes.Done;
            }

            Console.WriteLine();
            var errors = CommonOptions.ConsoleFor(json: true);
            errors.MarkupLineInterpolated($"[grey]{report.Tokens} tokens in {Quantity.Milliseconds(report.Total)} by {report.Worker}: {string.Join(", ", ServerTiming.Phases.Where(report.Phases.ContainsKey).Select(phase => $"{phase} {Quantity.Milliseconds(report.Phases[phase])}"))}; {Quantity.Bytes(report.ObjectStoreBytes)} from object storage, {Quantity.Bytes(report.NvmeBytes)} from NVMe[/]");
            return ExitCodes.Done;
        });
        return verb;
    }

    private static JsonObject ToJson(string text, CompletionReport report) => new()
    {
        ["text"] = text,
        ["tokens"] = report.Tokens,
        ["totalMs"] = Math.Round(report.Total.TotalMilliseconds, 3),
        ["phasesMs"] = new JsonObject(ServerTiming.Phases.Select(phase => KeyValuePair.Create<string, JsonNode?>(phase, Math.Round(report.Phases.GetValueOrDefault(phase).TotalMilliseconds, 3)))),
        ["objectStoreBytes"] = report.ObjectStoreBytes,
        ["nvmeBytes"] = report.NvmeBytes,
        ["worker"] = report.Worker,
    };
}
