using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary><c>platform queue</c> against a running host.</summary>
public sealed class QueueCliTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Queue_FilledPeekedAndCleared_FromTheCommandLine()
    {
        await using var app = await new TestFunctionApp().StartAsync();
        var file = Path.Combine(app.AppRoot, "lines.jsonl");
        await File.WriteAllTextAsync(file, string.Concat(Enumerable.Range(0, 1000).Select(i => $"{{\"n\":{i}}}\n")), Cancel);

        Assert.Equal((0, "1000 sent; orders holds 1000.\n"), await RunAsync(app, "", "fill", "orders", file));
        Assert.Equal((0, "2 sent; orders holds 1002.\n"), await RunAsync(app, "a line\n\nanother\n", "fill", "orders"));
        Assert.Equal((0, "1 sent; orders holds 1003.\n"), await RunAsync(app, "", "put", "orders", "hello"));
        Assert.Equal((0, "1 sent; other holds 1.\n"), await RunAsync(app, "from stdin", "put", "other"));
        Assert.Equal((0, "1003\n"), await RunAsync(app, "", "depth", "orders"));
        Assert.Equal((0, "0\n"), await RunAsync(app, "", "depth", "unknown"));
        Assert.Equal((0, """[{"name":"orders","messages":1003,"visible":1003},{"name":"other","messages":1,"visible":1}]""" + "\n"), await RunAsync(app, "", "ls", "--json"));

        var (_, peeked) = await RunAsync(app, "", "peek", "other", "--json");
        Assert.Equal("from stdin", JsonNode.Parse(peeked)!["first"]![0]!["text"]!.ToString());
        Assert.Equal((0, ""), await RunAsync(app, "", "clear", "orders"));
        Assert.Equal((0, "0\n"), await RunAsync(app, "", "depth", "orders"));
        Assert.Equal(2, (await RunAsync(app, "", "put", "NO", "x")).Code);
        Assert.Equal(4, (await RunAsync(app, "", "peek", "missing")).Code);
    }

    [Fact]
    public async Task Poison_Replayed_RunsAgainFromTheFirstAttempt()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"failures":5}""").StartAsync();
        await app.SendAsync("work", "bad");
        await app.MessagesAsync("work-poison", 1);

        Assert.Equal((0, """[{"name":"work-poison","messages":1,"visible":1}]""" + "\n"), await RunAsync(app, "", "poison", "ls", "--json"));
        var (code, output) = await RunAsync(app, "", "poison", "replay", "work", "--json");
        var seen = await app.InvocationsAsync("Work", 6);

        Assert.Equal((0, 1), (code, JsonNode.Parse(output)!["sent"]!.GetValue<int>()));
        Assert.Equal("1", seen[5]["envelope"]!["Metadata"]!["DequeueCount"]!.GetValue<string>());
        Assert.Equal(0, app.Host.Queues.Open("work-poison").Count);
    }

    [Fact]
    public async Task Poison_ThatFailsAgain_IsReplayedOnceEach()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"failures":1000000}""");
        app.HostJson["extensions"]!["queues"]!["maxDequeueCount"] = 1;
        await app.StartAsync();
        for (var i = 0; i < 40; i++)
        {
            await app.SendAsync("work", $"bad {i}");
        }

        await app.MessagesAsync("work-poison", 40);
        var (code, output) = await RunAsync(app, "", "poison", "replay", "work", "--json");

        Assert.Equal((0, 40), (code, JsonNode.Parse(output)!["sent"]!.GetValue<int>()));
        Assert.Equal(40, (await app.MessagesAsync("work-poison", 40)).Distinct().Count());
        Assert.Equal(80, (await app.InvocationsAsync("Work", 80)).Count);
    }

    [Fact]
    public async Task Queue_WithoutAPlatform_SaysSoByItsExitCode()
    {
        await using var app = await new TestFunctionApp().StartAsync();
        await app.StopAsync();

        Assert.Equal(3, (await RunAsync(app, "", "ls")).Code);
    }

    private static async Task<(int Code, string Output)> RunAsync(TestFunctionApp app, string input, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "platform.dll"), "queue", .. arguments, "--url", $"http://127.0.0.1:{app.Host.Port}/"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        var errors = process.StandardError.ReadToEndAsync(Cancel);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync(Cancel);
        await errors;
        await process.WaitForExitAsync(Cancel);
        return (process.ExitCode, output);
    }
}
