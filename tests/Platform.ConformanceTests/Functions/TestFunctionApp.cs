using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Platform.Local.FunctionsHost;

namespace Platform.ConformanceTests.Functions;

/// <summary>A function app in a temporary folder, served by the embedded host, with the foreign handler behind it.</summary>
internal sealed class TestFunctionApp : IAsyncDisposable
{
    private readonly Dictionary<string, string> _environment = [];
    private readonly string _root = Directory.CreateTempSubdirectory("function-app-").FullName;
    private readonly JsonObject _hostJson = JsonNode.Parse("""{"version":"2.0","functionTimeout":"00:01:00","extensions":{"http":{},"queues":{"visibilityTimeout":"00:00:00"}}}""")!.AsObject();
    private readonly LogLines _log = new();

    public TestFunctionApp()
    {
        Directory.CreateDirectory(AppRoot);
        Directory.CreateDirectory(Answers);
        _environment["ANSWERS"] = Answers;
        _environment["RECORD"] = Record;
        _environment["AzureWebJobsStorage"] = "embedded";
        HostJson["customHandler"] = JsonNode.Parse(JsonSerializer.Serialize(new
        {
            description = new { defaultExecutablePath = "node", arguments = new[] { Script } },
            enableForwardingHttpRequest = true,
            enableProxyingHttpRequest = true,
        }));
    }

    public string AppRoot => Path.Combine(_root, "app");

    public string State => Path.Combine(_root, "state");

    public string Record => Path.Combine(_root, "record.jsonl");

    public JsonObject HostJson => _hostJson;

    public EmbeddedFunctionsHost Host { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    public bool EnforceKeys { get; set; }

    public long QueueLimitBytes { get; set; } = 64 * 1024 * 1024;

    public IReadOnlyList<string> Log => _log.Lines;

    private static string Script => Path.Combine(Path.GetDirectoryName(ThisFile())!, "foreign-handler.mjs");

    private string Answers => Path.Combine(_root, "answers");

    /// <summary>Skips the test where Node.js is not on the PATH.</summary>
    public static void NeedsNode() => Assert.SkipUnless(
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "node")) || File.Exists(Path.Combine(folder, "node.exe"))),
        "Node.js is not on the PATH; the foreign handler is written in it.");

    public TestFunctionApp With(string name, string value)
    {
        _environment[name] = value;
        return this;
    }

    public TestFunctionApp Function(string name, string json)
    {
        Directory.CreateDirectory(Path.Combine(AppRoot, name));
        File.WriteAllText(Path.Combine(AppRoot, name, "function.json"), json);
        return this;
    }

    /// <summary>An HTTP-only function, so one of the raw modes.</summary>
    public TestFunctionApp Raw(string name, string? route = null, string methods = "", string authLevel = "anonymous") => Function(name, $$"""
        {"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"{{authLevel}}"{{(route is null ? "" : $",\"route\":\"{route}\"")}}{{(methods.Length == 0 ? "" : $",\"methods\":[{methods}]")}}},{"type":"http","direction":"out","name":"res"}]}
        """);

    /// <summary>An HTTP function with a queue output, so the envelope.</summary>
    public TestFunctionApp Enveloped(string name, string route, string http = "res", string queue = "next", string queueName = "out") => Function(name, $$"""
        {"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","route":"{{route}}"},{"type":"http","direction":"out","name":"{{http}}"},{"type":"queue","direction":"out","name":"{{queue}}","queueName":"{{queueName}}"}]}
        """);

    public TestFunctionApp Queue(string name, string queueName, string more = "") => Function(name, $$"""
        {"bindings":[{"type":"queueTrigger","direction":"in","name":"job","queueName":"{{queueName}}"}{{more}}]}
        """);

    /// <summary>What the handler answers to envelopes of a function.</summary>
    public TestFunctionApp Answer(string function, string json)
    {
        File.WriteAllText(Path.Combine(Answers, function + ".json"), json);
        return this;
    }

    /// <summary>Writes <see cref="HostJson"/>; a host that runs loads the app anew.</summary>
    public void WriteHostJson() => File.WriteAllText(Path.Combine(AppRoot, "host.json"), HostJson.ToJsonString());

    public async Task<TestFunctionApp> StartAsync()
    {
        WriteHostJson();
        Host = await EmbeddedFunctionsHost.StartAsync(
            new FunctionsHostOptions { AppRoot = AppRoot, StateFolder = State, Port = 0, Environment = _environment, EnforceKeysOnLoopback = EnforceKeys, QueueLimitBytes = QueueLimitBytes, FileCheckInterval = TimeSpan.FromMilliseconds(50), DrainTimeout = TimeSpan.FromSeconds(3) },
            _log,
            TestContext.Current.CancellationToken);
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{Host.Port}/") };
        return this;
    }

    /// <summary>Stops the host; the folders stay, so that it can start again.</summary>
    public async Task StopAsync()
    {
        Client?.Dispose();
        if (Host is not null)
        {
            await Host.DisposeAsync();
        }
    }

    /// <summary>Waits for something that happens soon.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits until the handler has got <paramref name="count"/> envelopes of a function.</summary>
    public async Task<IReadOnlyList<JsonNode>> InvocationsAsync(string function, int count)
    {
        while (true)
        {
            var lines = File.Exists(Record) ? await File.ReadAllLinesAsync(Record, TestContext.Current.CancellationToken) : [];
            var found = lines.Where(line => line.EndsWith('}')).Select(line => JsonNode.Parse(line)!).Where(line => line["function"]!.GetValue<string>() == function).ToList();
            if (found.Count >= count)
            {
                return found;
            }

            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits for messages in an embedded queue; gives their texts, base64 undone.</summary>
    public async Task<IReadOnlyList<string>> MessagesAsync(string queue, int count, bool base64 = true)
    {
        while (Host.Queues.Open(queue).Count < count)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        return [.. Host.Queues.Open(queue).Peek(100).Select(message => base64 ? System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(message.Text)) : message.Text)];
    }

    public Task SendAsync(string queue, string text) =>
        Host.Queues.Open(queue).SendAsync(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text)), TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _log.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    private sealed class LogLines : ILoggerFactory, ILogger
    {
        private readonly List<string> _lines = [];

        public IReadOnlyList<string> Lines
        {
            get
            {
                lock (_lines)
                {
                    return [.. _lines];
                }
            }
        }

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_lines)
            {
                _lines.Add($"{logLevel}: {formatter(state, exception)}");
            }
        }

        public void Dispose()
        {
        }
    }
}
