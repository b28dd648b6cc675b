using System.Net;
using System.Runtime.CompilerServices;
using Platform.Jobs;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Engines.External;

/// <summary>Serves a model with a foreign server program that speaks OpenAI's HTTP interface: starts it on the model's files, watches it, restarts it, passes calls on.</summary>
/// <remarks>Prompts are tokenised by the server. Where the model has a <c>tokenizer.json</c> that we read, <see cref="CountTokens"/> counts with it; else it answers 0. A piece of the stream counts as a token, which is what these servers send.</remarks>
internal sealed class ExternalEngine : IEngine
{
    /// <summary>A server that was healthy for so long starts a new row of restarts.</summary>
    private static readonly TimeSpan LongRun = TimeSpan.FromMinutes(1);

    private readonly string _model;
    private readonly string _folder;
    private readonly ExternalEngineOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HttpClient _http;
    private readonly Tokenizer? _tokenizer;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Task _watch;
    private TaskCompletionSource<ServerProcess> _healthy = NewHealthy();
    private TaskCompletionSource? _idle;
    private int _inFlight;
    private long _tokensMade;
    private bool _draining;
    private int _disposed;

    private ExternalEngine(string model, string folder, ExternalEngineOptions options, TimeProvider time, ILogger logger)
    {
        (_model, _folder, _options, _time, _logger) = (model, folder, options, time, logger);
        _tokenizer = TryReadTokenizer(folder);
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(1) }) { Timeout = Timeout.InfiniteTimeSpan };
        _watch = Task.Run(WatchAsync);
    }

    /// <inheritdoc/>
    /// <remarks>The server knows, and refuses what is too long.</remarks>
    public int ContextLength => int.MaxValue;

    public long TokensMade => Interlocked.Read(ref _tokensMade);

    /// <summary>Times that the server was started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>The running server's process id; null while there is none.</summary>
    public int? ServerId => _healthy.Task is { IsCompletedSuccessfully: true } server ? server.Result.Id : null;

    /// <summary>Starts the server; returns at once. <see cref="WhenHealthyAsync"/> says when it can run the model.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="folder">Folder with the model's files.</param>
    /// <param name="options">What to start, and how to treat it.</param>
    /// <param name="time">The clock of pauses and limits.</param>
    /// <param name="logger">Gets the server's output.</param>
    public static ExternalEngine Start(string model, string folder, ExternalEngineOptions options, TimeProvider time, ILogger logger) => new(model, folder, options, time, logger);

    /// <summary>Waits until the server answers its health probe.</summary>
    /// <exception cref="EngineException">It was given up; the message has its last lines.</exception>
    public async Task WhenHealthyAsync(CancellationToken cancellationToken)
    {
        Task<ServerProcess> healthy;
        lock (_gate)
        {
            healthy = _healthy.Task;
        }

        await healthy.WaitAsync(cancellationToken);
    }

    public int CountTokens(string text) => _tokenizer?.Encode(text).Count ?? 0;

    /// <summary>The contents alone: a chat goes to the server as messages, and its own template makes the prompt.</summary>
    public string RenderChat(IReadOnlyList<ChatMessage> messages) => ChatTemplate.Plain.Render(messages);

    public IAsyncEnumerable<GeneratedToken> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        if (request.Prompt.Length == 0 && request.Messages is not { Count: > 0 })
        {
            throw new EngineException(ErrorCodes.PromptEmpty, "The prompt is empty; expected at least one character.");
        }

        lock (_gate)
        {
            if (_draining)
            {
                throw new EngineException(ErrorCodes.Unavailable, $"Model '{_model}' is being unloaded. Send the request again.");
            }

            return _healthy.Task switch
            {
                { IsCompletedSuccessfully: true } server => PassOnAsync(server.Result, request, cancellationToken),
                { IsFaulted: true } given => throw given.Exception!.InnerException!,
                _ => throw new EngineException(ErrorCodes.Unavailable, $"The server of model '{_model}' is being restarted. Send the request again in a few seconds."),
            };
        }
    }

    /// <summary>Drains: takes no more calls, lets those that run go on for a while, asks the server to end, and ends it if it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        Task idle;
        lock (_gate)
        {
            if (_disposed++ > 0)
            {
                return;
            }

            _draining = true;
            _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_inFlight == 0)
            {
                _idle.SetResult();
            }

            idle = _idle.Task;
        }

        await idle.WaitAsync(_options.DrainLimit, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stop.CancelAsync();
        await _watch;
        _http.Dispose();
        _stop.Dispose();
    }

    private static TaskCompletionSource<ServerProcess> NewHealthy()
    {
        var source = new TaskCompletionSource<ServerProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = source.Task.ContinueWith(static task => task.Exception, TaskScheduler.Default);
        return source;
    }

    private static Tokenizer? TryReadTokenizer(string folder)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        try
        {
            return File.Exists(path) ? TokenizerFile.Parse(File.ReadAllBytes(path)) : null;
        }
        catch (EngineException)
        {
            // Of a kind that we do not read: the server does.
            return null;
        }
    }

    private async IAsyncEnumerable<GeneratedToken> PassOnAsync(ServerProcess server, GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _inFlight);
        try
        {
            var served = ExternalEngineOptions.Fill(_options.ServedName, _folder, _model, server.Port, _options.Gpu);
            await foreach (var token in OpenAiStream.RunAsync(_http, server.Port, served, request, cancellationToken))
            {
                Interlocked.Increment(ref _tokensMade);
                yield return token;
            }
        }
        finally
        {
            lock (_gate)
            {
                if (--_inFlight == 0)
                {
                    _idle?.TrySetResult();
                }
            }
        }
    }

    /// <summary>Keeps a server running until the engine is disposed or the server is given up.</summary>
    private async Task WatchAsync()
    {
        var (failures, pauses) = (0, 0);
        try
        {
            while (true)
            {
                long? healthySince = null;
                var reason = await RunOnceAsync(() => healthySince = _time.GetTimestamp());
                failures = healthySince is null ? failures + 1 : 1;
                if (failures > _options.MaxRestarts)
                {
                    throw new EngineException(ErrorCodes.Unavailable, $"The server of model '{_model}' was given up after {failures} attempts: {reason}");
                }

                // One that dies soon after each start is not helped by being started ever again at once.
                pauses = healthySince is { } since && _time.GetElapsedTime(since) >= LongRun ? 1 : pauses + 1;
                var pause = TimeSpan.FromTicks(Math.Min(_options.RestartPause.Ticks << Math.Min(pauses - 1, 20), Math.Max(_options.RestartPause.Ticks, TimeSpan.TicksPerMinute)));
                ExternalLog.Restarting(_logger, _model, pause.TotalSeconds, reason);
                await Task.Delay(pause, _time, _stop.Token);
                Restarts++;
            }
        }
        catch (Exception fault)
        {
            var final = _stop.IsCancellationRequested ? new EngineException(ErrorCodes.Unavailable, $"Model '{_model}' was unloaded. Send the request again.")
                : fault as EngineException ?? new EngineException(ErrorCodes.Internal, $"The server of model '{_model}' could not be watched: {fault.Message}", fault);
            lock (_gate)
            {
                if (!_healthy.TrySetException(final))
                {
                    _healthy = NewHealthy();
                    _healthy.SetException(final);
                }
            }
        }
    }

    /// <summary>One run of the server, from its start to its end.</summary>
    /// <returns>Why it is over.</returns>
    private async Task<string> RunOnceAsync(Action wasHealthy)
    {
        await using var server = ServerProcess.Start(_options, _model, _folder, line => ExternalLog.Said(_logger, _model, line));
        LeftOverServers.Note(_folder, server.Id);
        try
        {
            if (await StartUpAsync(server) is { } fault)
            {
                return fault;
            }

            wasHealthy();
            lock (_gate)
            {
                _healthy.TrySetResult(server);
            }

            ExternalLog.Healthy(_logger, _model, server.Id, server.Port);
            return await WatchHealthAsync(server);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            server.Terminate();
            await server.Exited.WaitAsync(_options.DrainLimit, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
        finally
        {
            LeftOverServers.Forget(_folder);
            lock (_gate)
            {
                if (_healthy.Task.IsCompleted)
                {
                    _healthy = NewHealthy();
                }
            }
        }
    }

    /// <summary>Null when the server is healthy; else why it will not be.</summary>
    private async Task<string?> StartUpAsync(ServerProcess server)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            if (server.HasExited)
            {
                await server.Exited;
                return $"it {server.Account}";
            }

            if (await ProbeAsync(server))
            {
                return null;
            }

            if (_time.GetElapsedTime(started) > _options.StartLimit)
            {
                return $"it did not answer {_options.HealthPath} within {_options.StartLimit.TotalSeconds:0.#} s; it {server.Account}";
            }

            await PauseAsync(server, _options.ProbeEvery);
        }
    }

    private async Task<string> WatchHealthAsync(ServerProcess server)
    {
        var failures = 0;
        while (failures < _options.ProbeFailures)
        {
            await PauseAsync(server, _options.ProbeEvery * 10);
            if (server.HasExited)
            {
                await server.Exited;
                return $"it {server.Account}";
            }

            failures = await ProbeAsync(server) ? 0 : failures + 1;
        }

        return $"it failed {failures} probes of {_options.HealthPath} in a row; it {server.Account}";
    }

    /// <summary>Waits, at most until the server's end.</summary>
    private async Task PauseAsync(ServerProcess server, TimeSpan pause)
    {
        await server.Exited.WaitAsync(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Token.ThrowIfCancellationRequested();
    }

    private async Task<bool> ProbeAsync(ServerProcess server)
    {
        using var limit = new CancellationTokenSource(_options.ProbeLimit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        try
        {
            using var answer = await _http.GetAsync(new Uri($"http://{IPAddress.Loopback}:{server.Port}{_options.HealthPath}"), HttpCompletionOption.ResponseHeadersRead, either.Token);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException)
        {
            _stop.Token.ThrowIfCancellationRequested();
            return false;
        }
    }
}
