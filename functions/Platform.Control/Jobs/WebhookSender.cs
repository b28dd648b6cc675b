using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Tells an address of a job's end, signed as Standard Webhooks has it: base64(HMAC-SHA256(secret, "id.timestamp.body")).</summary>
/// <remarks>The id is the same in every try, so that a receiver can tell a repetition. Redirects are not followed; a success is 2xx.</remarks>
internal sealed class WebhookSender(HttpMessageHandler handler, TimeProvider time, IOptions<ControlOptions> options) : IDisposable
{
    private const string DefaultSecret = "default";
    private const string SecretPrefix = "whsec_";
    private readonly HttpClient _http = new(handler) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Delivers once.</summary>
    /// <returns>Null, or why it was no success.</returns>
    public async Task<string?> SendAsync(JobStatus job, CancellationToken cancellationToken)
    {
        var webhook = job.Spec.Webhook!;
        var name = webhook.SecretName ?? DefaultSecret;
        if (!options.Value.WebhookSecrets.TryGetValue(name, out var secret))
        {
            return $"Control has no webhook secret '{name}'; its operator sets Control:WebhookSecrets:{name}.";
        }

        using var timeout = new CancellationTokenSource(options.Value.WebhookTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url) { Content = new ByteArrayContent(BodyOf(job)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
            await SignAsync(request, job.Id, secret, time.GetUtcNow(), either.Token);
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return answer.IsSuccessStatusCode ? null : $"The address answered {(int)answer.StatusCode}.";
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return $"The address did not answer within {options.Value.WebhookTimeout.TotalSeconds:0.###} s.";
        }
        catch (Exception fault) when (fault is HttpRequestException or FormatException)
        {
            return fault is FormatException ? $"The webhook secret '{name}' is not base64." : fault.Message;
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The job without its spec: names and figures, no prompts and no environment.</summary>
    private static byte[] BodyOf(JobStatus job)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("type", $"job.{job.State.ToString().ToLowerInvariant()}");
            json.WriteString("timestamp", job.EndedAt!.Value);
            json.WritePropertyName("data");
            json.WriteStartObject();
            json.WriteString("id", job.Id);
            json.WriteString("kind", job.Spec.Kind);
            json.WriteString("state", job.State.ToString());
            json.WriteString("reason", job.Reason);
            json.WriteNumber("attempts", job.Attempts.Count);
            if (job.Result is { } result)
            {
                json.WritePropertyName("result");
                JsonSerializer.Serialize(json, result, JobsJson.Default.JobResult);
            }

            if (job.Failure is { } failure)
            {
                json.WritePropertyName("failure");
                JsonSerializer.Serialize(json, failure, JobsJson.Default.JobFailure);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return body.ToArray();
    }

    private static async Task SignAsync(HttpRequestMessage request, string jobId, string secret, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var id = $"msg_{jobId}_ended";
        var timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var key = Convert.FromBase64String(secret.StartsWith(SecretPrefix, StringComparison.Ordinal) ? secret[SecretPrefix.Length..] : secret);
        var body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
        var signature = HMACSHA256.HashData(key, (byte[])[.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body]);
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", timestamp);
        request.Headers.Add("webhook-signature", "v1," + Convert.ToBase64String(signature));
    }
}
