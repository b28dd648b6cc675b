using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Platform.SystemTests;

/// <summary>OpenAI's own client, which nobody here wrote, against the whole platform.</summary>
public sealed class OpenAiClientTests(RunningPlatform platform) : IClassFixture<RunningPlatform>
{
    [Fact]
    public async Task Client_ListsCompletesChatsStreamsAndUnderstandsOurErrors()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "..", "..", "node", "openai");
        Assert.SkipUnless(Directory.Exists(Path.Combine(folder, "node_modules", "openai")), "npm package openai is not installed: run npm ci in tests/node/openai.");

        var seen = await RunAsync(folder);

        Assert.Contains("demo", seen["models"]!.AsArray().Select(model => (string)model!));
        Assert.Equal("text_completion", (string)seen["completion"]!["object"]!);
        var text = (string)seen["completion"]!["choices"]![0]!["text"]!;
        Assert.Equal("length", (string)seen["completion"]!["choices"]![0]!["finish_reason"]!);
        Assert.Equal(4, (int)seen["completion"]!["usage"]!["completion_tokens"]!);
        Assert.Equal("assistant", (string)seen["chat"]!["choices"]![0]!["message"]!["role"]!);
        Assert.Equal(text, string.Concat(seen["logprobs"]!["tokens"]!.AsArray().Select(token => (string)token!)));
        Assert.All(seen["logprobs"]!["token_logprobs"]!.AsArray().Zip(seen["logprobs"]!["top_logprobs"]!.AsArray()), pair => Assert.Equal((double)pair.First!, pair.Second!.AsObject().Max(top => (double)top.Value!)));
        Assert.All(seen["chatLogprobs"]!.AsArray(), token => Assert.Equal((3, (string)token!["token"]!), (token["top_logprobs"]!.AsArray().Count, (string)token["top_logprobs"]![0]!["token"]!)));
        Assert.Equal(text, (string)seen["stream"]!["text"]!);
        Assert.Equal("length", (string)Assert.Single(seen["stream"]!["finish"]!.AsArray())!);
        Assert.Equal(4, (int)seen["stream"]!["usage"]!["completion_tokens"]!);
        Assert.Equal("assistant", (string)seen["chatStream"]!["role"]!);
        Assert.Single(seen["chatStream"]!["finish"]!.AsArray());
        Assert.Contains("firstToken;dur=", (string)seen["timing"]!, StringComparison.Ordinal);
        Assert.Equal(("NotFoundError", 404, "model-not-found"), ErrorOf(seen["unknownModel"]!));
        Assert.Equal(("BadRequestError", 400, "invalid-request"), ErrorOf(seen["badTemperature"]!));
        Assert.Equal(("BadRequestError", 400, "prompt-too-long"), ErrorOf(seen["tooLong"]!));
        Assert.NotNull(seen["left"]);
    }

    private static (string Name, int Status, string Code) ErrorOf(JsonNode error) => ((string)error["name"]!, (int)error["status"]!, (string)error["code"]!);

    private async Task<JsonNode> RunAsync(string folder)
    {
        var start = new ProcessStartInfo("node", [Path.Combine(folder, "client.mjs")]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["BASE_URL"] = new Uri(platform.Http.BaseAddress!, "v1").ToString();
        start.Environment["MODEL"] = "demo";
        using var client = Process.Start(start)!;
        var errors = client.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await client.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await client.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(client.ExitCode == 0, await errors);
        return JsonNode.Parse(output)!;
    }
}
