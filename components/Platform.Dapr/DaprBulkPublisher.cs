using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr;

/// <summary>Publishes many events in one call. Thread-safe.</summary>
public sealed class DaprBulkPublisher
{
    private readonly SidecarClient _sidecar;

    internal DaprBulkPublisher(SidecarClient sidecar) => _sidecar = sidecar;

    /// <summary>Publishes JSON events to one topic; each becomes a CloudEvent of its own.</summary>
    /// <param name="pubsub">Component name.</param>
    /// <param name="topic">Topic; may contain slashes.</param>
    /// <param name="events">The events, in their order; none is allowed and sends nothing.</param>
    /// <param name="type">How they are written.</param>
    /// <param name="metadata">For all of them, for example <c>ttlInSeconds</c>.</param>
    /// <param name="cancellationToken">Gives up; the events may or may not have been accepted.</param>
    /// <returns>The events that the broker did not take, empty if it took all. Those are for the caller to publish again.</returns>
    /// <exception cref="DaprPublishException">The request as a whole was refused: no such component or topic, or the sidecar is away.</exception>
    public async Task<IReadOnlyList<BulkPublishFailure<T>>> PublishEventsAsync<T>(
        string pubsub, string topic, IReadOnlyList<T> events, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        if (events.Count == 0)
        {
            return [];
        }

        var path = $"v1.0-alpha1/publish/bulk/{PathSegment.Escape(pubsub)}/{PathSegment.EscapeEach(topic)}{QueryString.Of(metadata)}";
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf(path)) { Content = JsonBody.Write((events, type), static (writer, batch) => Write(writer, batch.events, batch.type)) };
        HttpResponseMessage response;
        try
        {
            response = await _sidecar.SendForAllAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new DaprPublishException($"The sidecar did not answer the bulk publish to '{pubsub}/{topic}': {e.Message}", e) { ErrorCode = DaprErrorCodes.SidecarUnreachable, Method = topic };
        }

        using (response)
        {
            if (response.IsSuccessStatusCode)
            {
                return [];
            }

            // The list of failures can be longer than what is kept of other errors.
            var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            if (response.StatusCode == HttpStatusCode.InternalServerError && FailuresIn(body, events) is { } failures)
            {
                return failures;
            }

            var answer = SidecarAnswer.Parse(response.StatusCode, body);
            throw new DaprPublishException($"The bulk publish to '{pubsub}/{topic}' answered {(int)answer.Status}: {answer.Words}")
            {
                Method = topic,
                StatusCode = answer.Status,
                ErrorCode = answer.ErrorCode,
                Body = answer.Body,
            };
        }
    }

    private static void Write<T>(Utf8JsonWriter writer, IReadOnlyList<T> events, JsonTypeInfo<T> type)
    {
        writer.WriteStartArray();
        for (var i = 0; i < events.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteString("entryId"u8, i.ToString());
            writer.WritePropertyName("event"u8);
            JsonSerializer.Serialize(writer, events[i], type);
            writer.WriteString("contentType"u8, "application/json"u8);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>The failed entries; null if the body is an error of another kind.</summary>
    private static List<BulkPublishFailure<T>>? FailuresIn<T>(byte[] body, IReadOnlyList<T> events)
    {
        try
        {
            var answer = JsonSerializer.Deserialize(body, DaprJson.Default.BulkPublishAnswer);
            var failures = new List<BulkPublishFailure<T>>();
            foreach (var entry in answer?.FailedEntries ?? [])
            {
                if (!int.TryParse(entry.EntryId, NumberStyles.None, CultureInfo.InvariantCulture, out var i) || i >= events.Count)
                {
                    return null; // Not about what was sent.
                }

                failures.Add(new BulkPublishFailure<T>(events[i], entry.Error ?? ""));
            }

            return failures.Count > 0 ? failures : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>An event that the broker did not take.</summary>
/// <param name="Event">The event.</param>
/// <param name="Error">Why, in the sidecar's words.</param>
public sealed record BulkPublishFailure<T>(T Event, string Error);

internal sealed record BulkPublishAnswer(List<BulkPublishFailedEntry>? FailedEntries);

internal sealed record BulkPublishFailedEntry(string EntryId, string? Error);
