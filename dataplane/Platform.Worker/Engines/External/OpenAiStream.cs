using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;

namespace Platform.Worker.Engines.External;

/// <summary>A completion of a foreign server as a stream of tokens.</summary>
internal static class OpenAiStream
{
    private const int LongestError = 500;

    /// <summary>A chunk has some hundred bytes; with twenty log probabilities some thousands.</summary>
    private const int LongestEvent = 1 << 20;

    /// <summary>Sends the request and yields what comes back. Cancelling closes the connection, which ends the work at the server.</summary>
    /// <exception cref="EngineException">The server refused, failed, or broke off; the message has its words.</exception>
    public static async IAsyncEnumerable<GeneratedToken> RunAsync(HttpClient http, int port, string model, GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var isChat = request.Messages is not null;
        using var call = new HttpRequestMessage(HttpMethod.Post, new Uri($"http://{IPAddress.Loopback}:{port}/v1/{(isChat ? "chat/completions" : "completions")}"))
        {
            Content = new StringContent(Body(model, request).ToJsonString(), System.Text.Encoding.UTF8, "application/json"),
        };
        using var answer = await SendAsync(http, call, cancellationToken);
        await using var body = new BoundedEvents(await answer.Content.ReadAsStreamAsync(cancellationToken), LongestEvent);
        await using var events = SseParser.Create(body).EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        FinishReason? finish = null;
        while (finish is null && await NextAsync(events) is { } data)
        {
            if (Read(data, isChat) is { } token)
            {
                finish = token.Finish;
                yield return token;
            }
        }

        if (finish is null)
        {
            throw BrokenOff("it ended without a finish_reason", null);
        }
    }

    private static JsonObject Body(string model, GenerationRequest request)
    {
        var body = new JsonObject { ["model"] = model, ["stream"] = true, ["temperature"] = request.Temperature, ["top_p"] = request.TopP };
        if (request.Messages is { } messages)
        {
            body["messages"] = new JsonArray([.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]);
        }
        else
        {
            body["prompt"] = request.Prompt;
        }

        if (request.MaxTokens is { } limit)
        {
            body["max_tokens"] = limit;
        }

        if (request.Logprobs is { } top)
        {
            (string Name, JsonNode Value)[] members = request.Messages is null ? [("logprobs", top)] : [("logprobs", true), ("top_logprobs", top)];
            foreach (var (name, value) in members)
            {
                body[name] = value;
            }
        }

        if (request.TopK > 0)
        {
            body["top_k"] = request.TopK;
        }

        if (request.Seed is { } seed)
        {
            body["seed"] = seed;
        }

        if (request.Stop.Count > 0)
        {
            body["stop"] = new JsonArray([.. request.Stop.Select(stop => JsonValue.Create(stop))]);
        }

        return body;
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpRequestMessage call, CancellationToken cancellationToken)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await http.SendAsync(call, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException fault)
        {
            throw new EngineException(ErrorCodes.Unavailable, $"The engine's server does not answer: {fault.Message}. Send the request again.", fault);
        }

        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            var text = await BeginningOfAsync(answer, cancellationToken);
            var code = answer.StatusCode switch
            {
                HttpStatusCode.TooManyRequests => ErrorCodes.TooManyRequests,
                >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError => ErrorCodes.InvalidRequest,
                _ => ErrorCodes.Unavailable,
            };
            throw new EngineException(code, $"The engine's server answered {(int)answer.StatusCode}: {text}");
        }
    }

    /// <summary>As much of an error as is shown: what follows may have no end.</summary>
    private static async Task<string> BeginningOfAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        try
        {
            await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
            var bytes = new byte[LongestError];
            return System.Text.Encoding.UTF8.GetString(bytes, 0, await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken));
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            return fault.Message;
        }
    }

    /// <summary>The next event's data; null at the end.</summary>
    private static async Task<string?> NextAsync(IAsyncEnumerator<SseItem<string>> events)
    {
        try
        {
            return await events.MoveNextAsync() && events.Current.Data != "[DONE]" ? events.Current.Data : null;
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            throw BrokenOff(fault.Message, fault);
        }
    }

    private static GeneratedToken? Read(string data, bool isChat)
    {
        try
        {
            using var json = JsonDocument.Parse(data);
            if (json.RootElement.TryGetProperty("error", out var error))
            {
                throw BrokenOff($"it says {error.GetRawText()}", null);
            }

            if (!json.RootElement.TryGetProperty("choices", out var choices) || choices.GetArrayLength() == 0)
            {
                return null;
            }

            var choice = choices[0];
            var text = isChat
                ? choice.TryGetProperty("delta", out var delta) && delta.TryGetProperty("content", out var content) ? content.GetString() ?? "" : ""
                : choice.TryGetProperty("text", out var whole) ? whole.GetString() ?? "" : "";
            FinishReason? finish = choice.TryGetProperty("finish_reason", out var why) ? why.GetString() switch
            {
                null => null,
                "length" => FinishReason.Length,
                _ => FinishReason.Stop,
            }
            : null;
            var logprobs = ServerLogprobs.Read(choice, isChat);
            return text.Length == 0 && finish is null && logprobs is null ? null : new GeneratedToken(-1, text, finish, logprobs);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or FormatException)
        {
            throw BrokenOff($"it sent '{data[..Math.Min(data.Length, LongestError)]}' in place of a chunk", fault);
        }
    }

    private static EngineException BrokenOff(string reason, Exception? inner) => new(ErrorCodes.Unavailable, $"The engine's server broke off in mid-answer: {reason}. Send the request again.", inner!);
}
