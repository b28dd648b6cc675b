using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Platform.Jobs;

namespace Platform.Local.Cli;

/// <summary>The platform's public HTTP surface, as the verbs call it. Every refusal becomes one line that says what to do.</summary>
internal sealed class PlatformClient : IDisposable
{
    private readonly HttpClient _http;

    public PlatformClient(Uri url, string? key)
    {
        _http = new HttpClient { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        if (!string.IsNullOrEmpty(key))
        {
            _http.DefaultRequestHeaders.Add("x-functions-key", key);
        }
    }

    public void Dispose() => _http.Dispose();

    public Task<PlatformStatus> GetStatusAsync(CancellationToken cancellationToken) => GetAsync("api/status", JobsJson.Default.PlatformStatus, cancellationToken);

    public Task<List<ModelStatus>> ListModelsAsync(CancellationToken cancellationToken) => GetAsync("api/models", JobsJson.Default.ListModelStatus, cancellationToken);

    public Task PublishModelAsync(ModelManifest manifest, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Put, $"api/models/{manifest.Name}", JsonBody(manifest, JobsJson.Default.ModelManifest), cancellationToken);

    public Task RemoveModelAsync(string model, CancellationToken cancellationToken) => SendAsync(HttpMethod.Delete, $"api/models/{Segment(model)}", null, cancellationToken);

    public Task WarmModelAsync(string model, CancellationToken cancellationToken) => SendAsync(HttpMethod.Post, $"api/models/{Segment(model)}/warm", null, cancellationToken);

    public Task SleepModelAsync(string model, string level, CancellationToken cancellationToken) => SendAsync(HttpMethod.Post, $"api/models/{Segment(model)}/sleep?level={Uri.EscapeDataString(level)}", null, cancellationToken);

    public Task<JobList> ListJobsAsync(JobListRequest request, CancellationToken cancellationToken)
    {
        (string Name, string? Value)[] filters =
        [
            ("after", request.After), ("limit", request.Limit.ToString(CultureInfo.InvariantCulture)), ("state", request.State?.ToString()), ("kind", request.Kind), ("since", request.Since?.ToString("O", CultureInfo.InvariantCulture)),
            .. (request.Labels ?? new Dictionary<string, string>()).Select(label => ("label", (string?)$"{label.Key}={label.Value}")),
        ];
        return GetAsync("api/jobs?" + string.Join('&', filters.Where(filter => filter.Value is not null).Select(filter => $"{filter.Name}={Uri.EscapeDataString(filter.Value!)}")), JobsJson.Default.JobList, cancellationToken);
    }

    public Task<UsageTable> GetUsageAsync(string by, DateTimeOffset? since, CancellationToken cancellationToken) =>
        GetAsync($"api/usage?by={Uri.EscapeDataString(by)}{(since is { } moment ? $"&since={Uri.EscapeDataString(moment.ToString("O", CultureInfo.InvariantCulture))}" : "")}", JobsJson.Default.UsageTable, cancellationToken);

    public async Task<JobStatus> RetryJobAsync(string id, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(new HttpRequestMessage(HttpMethod.Post, $"api/jobs/{Segment(id)}/retry"), cancellationToken);
        return await answer.Content.ReadFromJsonAsync(JobsJson.Default.JobStatus, cancellationToken) ?? throw new PlatformException("The platform answered a repetition with an empty body.");
    }

    /// <summary>The job's log as events, after the one with the id <paramref name="last"/>.</summary>
    public async IAsyncEnumerable<SseItem<string>> FollowJobLogAsync(string id, string? last, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"api/jobs/{Segment(id)}/logs?follow=true");
        if (last is not null)
        {
            request.Headers.Add("Last-Event-ID", last);
        }

        using var answer = await CallAsync(request, cancellationToken);
        await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(cancellationToken))
        {
            yield return item;
        }
    }

    public Task<JobStatus> GetJobAsync(string id, CancellationToken cancellationToken) => GetAsync($"api/jobs/{Segment(id)}", JobsJson.Default.JobStatus, cancellationToken);

    public Task CancelJobAsync(string id, CancellationToken cancellationToken) => SendAsync(HttpMethod.Post, $"api/jobs/{Segment(id)}/cancel", null, cancellationToken);

    public async Task<string> GetJobLogAsync(string id, int? attempt, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(new HttpRequestMessage(HttpMethod.Get, $"api/jobs/{Segment(id)}/logs{(attempt is null ? "" : $"?attempt={attempt}")}"), cancellationToken);
        return await answer.Content.ReadAsStringAsync(cancellationToken);
    }

    public async Task<JobStatus> SubmitJobAsync(JobSpec spec, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(new HttpRequestMessage(HttpMethod.Post, "api/jobs") { Content = JsonBody(spec, JobsJson.Default.JobSpec) }, cancellationToken);
        return await answer.Content.ReadFromJsonAsync(JobsJson.Default.JobStatus, cancellationToken) ?? throw new PlatformException("The platform answered a submission with an empty body.");
    }

    /// <summary>Polls until the job ends; <paramref name="seen"/> takes every state on the way.</summary>
    public async Task<JobStatus> WaitForJobAsync(string id, TimeSpan interval, Action<JobStatus> seen, CancellationToken cancellationToken)
    {
        while (true)
        {
            var job = await GetJobAsync(id, cancellationToken);
            seen(job);
            if (JobTransitions.IsTerminal(job.State))
            {
                return job;
            }

            await Task.Delay(interval, cancellationToken);
        }
    }

    public Task<TierTable> GetTierAsync(string node, CancellationToken cancellationToken) => GetAsync($"api/nodes/{Segment(node)}/tier", JobsJson.Default.TierTable, cancellationToken);

    public Task<TierReason> ExplainAsync(string node, string key, CancellationToken cancellationToken) => GetAsync(TierPath(node, "explain", key), JobsJson.Default.TierReason, cancellationToken);

    /// <summary>Compares one blob with its checksums; null if it is not there (any more).</summary>
    public async Task<TierVerification?> VerifyAsync(string node, string key, bool repair, CancellationToken cancellationToken)
    {
        try
        {
            return await AskAsync(HttpMethod.Post, TierPath(node, "verify", key) + (repair ? "&repair=true" : ""), JobsJson.Default.TierVerification, cancellationToken);
        }
        catch (PlatformException error) when (error.ExitCode == ExitCodes.NotFound && error.Message.Contains(ErrorCodes.BlobNotFound, StringComparison.Ordinal))
        {
            return null;
        }
    }

    public Task<TierPin> PinAsync(string node, string key, bool pinned, CancellationToken cancellationToken) =>
        AskAsync(pinned ? HttpMethod.Put : HttpMethod.Delete, TierPath(node, "pin", key), JobsJson.Default.TierPin, cancellationToken);

    /// <summary>Streams one completion; the pieces arrive as the worker makes them.</summary>
    public async IAsyncEnumerable<string> CompleteAsync(JsonObject request, CompletionReport report, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        request["stream"] = true;
        request["stream_options"] = new JsonObject { ["include_usage"] = true };
        var started = Stopwatch.GetTimestamp();
        using var message = new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = new StringContent(request.ToJsonString(), System.Text.Encoding.UTF8, "application/json") };
        using var answer = await CallAsync(message, cancellationToken);
        report.ReadHeaders(answer);
        await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(cancellationToken))
        {
            if (item.Data == "[DONE]")
            {
                report.Done(Stopwatch.GetElapsedTime(started));
                yield break;
            }

            var chunk = JsonNode.Parse(item.Data)!;
            if (chunk["error"] is { } error)
            {
                throw new PlatformException($"The completion broke off: {error["message"]}");
            }

            if (chunk["usage"] is { } usage)
            {
                report.Tokens = (int)usage["completion_tokens"]!;
            }

            if (chunk["choices"] is JsonArray { Count: > 0 } choices && (string?)choices[0]!["text"] is { Length: > 0 } text)
            {
                yield return text;
            }
        }

        throw new PlatformException("The completion broke off before its end. Try again; if it stays so, look into the worker's log.");
    }

    // With a length: Functions hosts lose a chunked body on its way into an envelope.
    private static ByteArrayContent JsonBody<T>(T value, JsonTypeInfo<T> type) =>
        new(JsonSerializer.SerializeToUtf8Bytes(value, type)) { Headers = { ContentType = new("application/json") } };

    private static string TierPath(string node, string what, string key) => $"api/nodes/{Segment(node)}/tier/{what}?key={Uri.EscapeDataString(key)}";

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) => AskAsync(HttpMethod.Get, path, type, cancellationToken);

    private async Task<T> AskAsync<T>(HttpMethod method, string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(new HttpRequestMessage(method, path), cancellationToken);
        return await answer.Content.ReadFromJsonAsync(type, cancellationToken) ?? throw new PlatformException($"The platform answered {path} with null.");
    }

    /// <summary>Calls one of the host's admin paths; null if the answer has no body.</summary>
    public async Task<JsonNode?> CallAdminAsync(HttpMethod method, string path, Stream? body, CancellationToken cancellationToken)
    {
        using var content = body is null ? null : new StreamContent(body) { Headers = { ContentType = new("text/plain") } };
        using var answer = await CallAsync(new HttpRequestMessage(method, "admin/" + path) { Content = content }, cancellationToken);
        return answer.StatusCode == HttpStatusCode.NoContent ? null : await JsonNode.ParseAsync(await answer.Content.ReadAsStreamAsync(cancellationToken), cancellationToken: cancellationToken);
    }

    private async Task SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(new HttpRequestMessage(method, path) { Content = content }, cancellationToken);
    }

    private async Task<HttpResponseMessage> CallAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException error)
        {
            throw new PlatformException($"No platform answers at {_http.BaseAddress}: {error.Message}. Start one with `platform up`, or name one with --url.", ExitCodes.NotRunning);
        }

        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            throw await RefusalAsync(answer, cancellationToken);
        }
    }

    private static async Task<PlatformException> RefusalAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        var exitCode = answer.StatusCode == HttpStatusCode.NotFound ? ExitCodes.NotFound : ExitCodes.Failed;
        try
        {
            if (JsonSerializer.Deserialize(body, JobsJson.Default.Problem) is { } problem)
            {
                var faults = problem.Faults is { Count: > 0 } list ? "\n" + string.Join('\n', list.Select(fault => $"  {fault.Path}: {fault.Message}")) : "";
                return new PlatformException($"{problem.Detail} ({problem.Code}){faults}", exitCode);
            }
        }
        catch (JsonException)
        {
            // Not ours: a proxy in between, or another program on that port.
        }

        return new PlatformException(
            answer.StatusCode == HttpStatusCode.Unauthorized
                ? "The platform wants a function key: set PLATFORM_KEY."
                : $"The platform answered {(int)answer.StatusCode} {answer.ReasonPhrase}: {(body.Length > 300 ? body[..300] : body)}",
            exitCode);
    }

    private static string Segment(string name) =>
        name.Length > 0 && !name.Contains('/') && name is not ("." or "..") ? Uri.EscapeDataString(name) : throw new PlatformException($"'{name}' is not a name.", ExitCodes.Usage);
}
