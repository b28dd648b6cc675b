using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Engines.External;

namespace Platform.UnitTests.Engines;

/// <summary>A foreign server that behaves, and one that misbehaves in every way that servers do.</summary>
public sealed class ExternalEngineTests : IDisposable
{
    private static readonly string Peers = Path.Combine(Repository.Root, "tests", "node", "llama");
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Generate_PassesTheCallOnAndTheTokensBack()
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);

        var tokens = await engine.GenerateAsync(new GenerationRequest { Prompt = "count" }, Token).ToListAsync(Token);

        Assert.Equal(" one two three", string.Concat(tokens.Select(token => token.Text)));
        Assert.Equal([null, null, FinishReason.Length], tokens.Select(token => token.Finish));
        Assert.Equal(3, engine.TokensMade);
    }

    [Fact]
    public async Task Generate_Chat_GoesToTheServerAsMessages()
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);

        var tokens = await engine.GenerateAsync(new GenerationRequest { Prompt = "x", Messages = [new ChatMessage("system", "be brief"), new ChatMessage("user", "hello")] }, Token).ToListAsync(Token);

        Assert.Equal("system:be brief;user:hello", string.Concat(tokens.Select(token => token.Text)));
    }

    [Theory]
    [InlineData(0, " one -0.25 []; two -0.5 []")]
    [InlineData(2, " one -0.25 [ one -0.25, 1 -2]; two -0.5 [ two -0.5]")]
    public async Task Generate_WithLogprobs_TellsThoseOfTheServer(int top, string expected)
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);

        var token = Assert.Single(await engine.GenerateAsync(new GenerationRequest { Prompt = "likely", Logprobs = top }, Token).ToListAsync(Token));

        Assert.Equal(expected, Text(token.Logprobs!));
    }

    [Fact]
    public async Task Generate_ChatWithLogprobs_TellsThoseOfTheServer()
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);

        var token = Assert.Single(await engine.GenerateAsync(new GenerationRequest { Prompt = "x", Messages = [new ChatMessage("user", "hello")], Logprobs = 2 }, Token).ToListAsync(Token));

        Assert.Equal(" é -0.5 [ é -0.5, e -1]", Text(token.Logprobs!));
        Assert.Equal([0x20, 0xc3, 0xa9], token.Logprobs![0].Chosen.Bytes.ToArray());
    }

    private static string Text(IReadOnlyList<TokenLogprobs> logprobs)
    {
        static string One(TokenLogprob token) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{token.Token} {token.Logprob}");
        return string.Join(';', logprobs.Select(token => $"{One(token.Chosen)} [{string.Join(',', token.Top.Select(One))}]"));
    }

    [Fact]
    public async Task Start_ProgramThatDoesNotExist_IsGivenUpAtOnceAndNamed()
    {
        var options = new ExternalEngineOptions { Command = { "/no/such/server", "--port", "{port}" } };
        await using var engine = ExternalEngine.Start("m", _folder.Path, options, TimeProvider.System, NullLogger.Instance);

        var fault = await Assert.ThrowsAsync<EngineException>(() => engine.WhenHealthyAsync(Token));

        Assert.Contains("/no/such/server", fault.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCodes.Unavailable, fault.Code);
    }

    [Fact]
    public async Task Start_ServerDiesTwice_IsStartedAgainWithPauses()
    {
        await using var engine = Start("dies-twice");

        await engine.WhenHealthyAsync(Token);

        Assert.True(engine.Restarts >= 2, $"{engine.Restarts} restarts");
    }

    [Fact]
    public async Task Start_ServerAlwaysDies_IsGivenUpWithItsLastLines()
    {
        await using var engine = Start("dies-at-once");

        var fault = await Assert.ThrowsAsync<EngineException>(() => engine.WhenHealthyAsync(Token));

        Assert.Contains("given up after 4 attempts", fault.Message, StringComparison.Ordinal);
        Assert.Contains("ended with code 3", fault.Message, StringComparison.Ordinal);
        Assert.Contains("out of memory: wanted 80 GiB", fault.Message, StringComparison.Ordinal);
        Assert.Throws<EngineException>(() => engine.GenerateAsync(new GenerationRequest { Prompt = "x" }, Token));
    }

    [Fact]
    public async Task Start_ServerNeverHealthy_IsGivenUpAfterTheLimit()
    {
        await using var engine = Start("never-healthy", options => (options.StartLimit, options.MaxRestarts) = (TimeSpan.FromMilliseconds(300), 0));

        var fault = await Assert.ThrowsAsync<EngineException>(() => engine.WhenHealthyAsync(Token));

        Assert.Contains("did not answer /health within 0.3 s", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("refuse", ErrorCodes.InvalidRequest, "too long")]
    [InlineData("busy", ErrorCodes.TooManyRequests, "429")]
    [InlineData("garbage", ErrorCodes.Unavailable, "<html>")]
    [InlineData("break off", ErrorCodes.Unavailable, "500")]
    [InlineData("endless error", ErrorCodes.Unavailable, "500: no no no")]
    [InlineData("endless line", ErrorCodes.Unavailable, "does not end")]
    [InlineData("endless event", ErrorCodes.Unavailable, "does not end")]
    [InlineData("stop early", ErrorCodes.Unavailable, "without a finish_reason")]
    [InlineData("error", ErrorCodes.Unavailable, "kv cache is full")]
    public async Task Generate_ServerAnswersBadly_IsAnErrorWithItsWords(string prompt, string code, string words)
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);

        var fault = await Assert.ThrowsAsync<EngineException>(async () => await engine.GenerateAsync(new GenerationRequest { Prompt = prompt }, Token).ToListAsync(Token));

        Assert.Equal(code, fault.Code);
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_ServerDiesInMidAnswer_TheCallFailsAndTheServerComesBack()
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);
        var first = engine.ServerId;

        var fault = await Assert.ThrowsAsync<EngineException>(async () => await engine.GenerateAsync(new GenerationRequest { Prompt = "die" }, Token).ToListAsync(Token));

        Assert.Equal(ErrorCodes.Unavailable, fault.Code);
        await UntilAsync(() => engine.ServerId is { } now && now != first);
        Assert.Equal(3, (await engine.GenerateAsync(new GenerationRequest { Prompt = "count" }, Token).ToListAsync(Token)).Count);
    }

    [Fact]
    public async Task Watch_ServerThatNoLongerAnswersItsProbe_IsRestarted()
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);
        var first = engine.ServerId;

        _ = await engine.GenerateAsync(new GenerationRequest { Prompt = "sicken" }, Token).ToListAsync(Token);

        await UntilAsync(() => engine.ServerId is { } now && now != first);
    }

    [Fact]
    public async Task Start_ServerDiesAsSoonAsItIsHealthy_IsStartedAgainAfterLongerAndLongerPauses()
    {
        var lines = new List<string>();
        await using var engine = Start("dies-when-healthy", options => (options.RestartPause, options.MaxRestarts) = (TimeSpan.FromMilliseconds(8), 1000), new LineLogger(lines));

        await UntilAsync(() => engine.Restarts >= 4);

        lock (lines)
        {
            Assert.Equal(["0.008", "0.016", "0.032", "0.064"], lines.Where(line => line.Contains("started again in", StringComparison.Ordinal)).Take(4).Select(line => line.Split("started again in ")[1].Split(' ')[0]));
        }
    }

    [Fact]
    public async Task Generate_CallerLeaves_TheConnectionIsClosed()
    {
        await using var engine = Start("well");
        await engine.WhenHealthyAsync(Token);

        await foreach (var token in engine.GenerateAsync(new GenerationRequest { Prompt = "hang" }, Token))
        {
            Assert.Equal(" one", token.Text);
            break;
        }

        await UntilAsync(() => File.Exists(Path.Combine(_folder.Path, "closed")));
    }

    [Fact]
    public async Task Dispose_LetsCallsFinish_ThenAsksTheServerToEnd()
    {
        var engine = Start("well");
        await engine.WhenHealthyAsync(Token);
        await using var tokens = engine.GenerateAsync(new GenerationRequest { Prompt = "count" }, Token).GetAsyncEnumerator(Token);
        Assert.True(await tokens.MoveNextAsync());

        var disposal = engine.DisposeAsync().AsTask();
        Assert.Throws<EngineException>(() => engine.GenerateAsync(new GenerationRequest { Prompt = "count" }, Token));
        Assert.False(disposal.IsCompleted);
        while (await tokens.MoveNextAsync())
        {
            // The call goes on to its end.
        }

        await tokens.DisposeAsync();
        await disposal;
        Assert.True(File.Exists(Path.Combine(_folder.Path, "ended")));
    }

    [Fact]
    public async Task Dispose_ServerDeafToSigterm_IsKilled()
    {
        var engine = Start("deaf-to-sigterm", options => options.DrainLimit = TimeSpan.FromMilliseconds(100));
        await engine.WhenHealthyAsync(Token);
        var server = engine.ServerId!.Value;

        await engine.DisposeAsync();

        Assert.Throws<ArgumentException>(() => Process.GetProcessById(server));
    }

    [Fact]
    public async Task LeftOverServers_OfAKilledWorker_AreEnded_AndNobodyElse()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads /proc.");
        var engines = Path.Combine(_folder.Path, "engines");
        using var left = Process.Start("sleep", "1000");
        using var other = Process.Start("sleep", "1000");
        LeftOverServers.Note(Path.Combine(engines, "m-1"), left.Id);
        await File.WriteAllTextAsync(Path.Combine(engines, "m-2.pid"), $"{other.Id} 1", Token);

        var ended = LeftOverServers.End(engines);

        await left.WaitForExitAsync(Token);
        Assert.Equal((1, false), (ended, other.HasExited));
        Assert.Empty(Directory.GetFiles(engines));
        other.Kill();
    }

    [Fact]
    public async Task LlamaCpp_OnAModelThatTheTestWrites_MakesTheSameTokensTwice()
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(Peers, "node_modules", "node-llama-cpp")), "npm package node-llama-cpp is not installed: run npm ci in tests/node/llama.");
        await File.WriteAllBytesAsync(Path.Combine(_folder.Path, "model.gguf"), TinyGguf.Write(), Token);
        var lines = new List<string>();
        var options = new ExternalEngineOptions { Command = { "node", Path.Combine(Peers, "server.mjs"), "{model_dir}/model.gguf", "{port}" }, ProbeEvery = TimeSpan.FromMilliseconds(50) };
        await using var engine = ExternalEngine.Start("tiny", _folder.Path, options, TimeProvider.System, new LineLogger(lines));
        await engine.WhenHealthyAsync(Token);

        var request = new GenerationRequest { Prompt = "abc", MaxTokens = 12 };
        var first = await engine.GenerateAsync(request, Token).ToListAsync(Token);
        var second = await engine.GenerateAsync(request, Token).ToListAsync(Token);

        Assert.Equal(12, first.Count);
        Assert.Equal(FinishReason.Length, first[^1].Finish);
        Assert.Equal(first.Select(token => token.Text), second.Select(token => token.Text));
        lock (lines)
        {
            Assert.Contains(lines, line => line.Contains("with llama.cpp", StringComparison.Ordinal));
        }
    }

    /// <summary>Polls: the server is another process, and says nothing when it comes back. The test's own time limit ends it.</summary>
    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(10, Token);
        }
    }

    private ExternalEngine Start(string mode, Action<ExternalEngineOptions>? configure = null, ILogger? logger = null)
    {
        var options = new ExternalEngineOptions
        {
            Command = { "node", Path.Combine(Peers, "misbehaving.mjs"), "{port}", mode, "{model_dir}" },
            ProbeEvery = TimeSpan.FromMilliseconds(10),
            RestartPause = TimeSpan.FromMilliseconds(5),
            StartLimit = TimeSpan.FromMinutes(1),
            DrainLimit = TimeSpan.FromMinutes(1),
            MaxRestarts = 3,
        };
        configure?.Invoke(options);
        Assert.SkipUnless(HasNode, "Node.js is not installed.");
        return ExternalEngine.Start("m", _folder.Path, options, TimeProvider.System, logger ?? NullLogger.Instance);
    }

    private static bool HasNode => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(path => File.Exists(Path.Combine(path, "node")));

    private sealed class LineLogger(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (lines)
            {
                lines.Add(formatter(state, exception));
            }
        }
    }
}
