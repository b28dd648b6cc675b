using System.Net.Http.Headers;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr;

/// <summary>Publishes to topics. A completed call means that the broker has the message. Thread-safe.</summary>
public sealed class DaprPublisher
{
    private readonly SidecarClient _sidecar;

    internal DaprPublisher(SidecarClient sidecar) => _sidecar = sidecar;

    /// <summary>Publishes JSON data; the sidecar wraps it in a CloudEvent.</summary>
    /// <param name="pubsub">Component name.</param>
    /// <param name="topic">Topic; may contain slashes.</param>
    /// <param name="data">What the subscriber gets as <c>data</c>.</param>
    /// <param name="type">How it is written.</param>
    /// <param name="metadata">For example <c>ttlInSeconds</c> or <c>cloudevent.type</c>.</param>
    /// <param name="cancellationToken">Gives up; the message may or may not have been accepted.</param>
    /// <exception cref="DaprPublishException">The message was not accepted.</exception>
    public Task PublishEventAsync<T>(string pubsub, string topic, T data, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        PublishAsync(pubsub, topic, JsonBody.From(data, type), metadata, cancellationToken);

    /// <summary>Publishes bytes of any content type; <c>application/cloudevents+json</c> is taken as the envelope itself.</summary>
    /// <inheritdoc cref="PublishEventAsync"/>
    public Task PublishByteEventAsync(
        string pubsub, string topic, ReadOnlyMemory<byte> data, string contentType = "application/octet-stream", IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        PublishAsync(pubsub, topic, JsonBody.From(data, MediaTypeHeaderValue.Parse(contentType)), metadata, cancellationToken);

    private async Task PublishAsync(string pubsub, string topic, HttpContent content, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var path = $"v1.0/publish/{PathSegment.Escape(pubsub)}/{PathSegment.EscapeEach(topic)}{QueryString.Of(metadata)}";
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf(path)) { Content = content };
        HttpResponseMessage response;
        try
        {
            response = await _sidecar.SendForAllAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new DaprPublishException($"The sidecar did not answer the publish to '{pubsub}/{topic}': {e.Message}", e) { ErrorCode = DaprErrorCodes.SidecarUnreachable, Method = topic };
        }

        using (response)
        {
            if (!response.IsSuccessStatusCode)
            {
                var answer = await SidecarAnswer.ReadAsync(response, cancellationToken);
                throw new DaprPublishException($"The publish to '{pubsub}/{topic}' answered {(int)answer.Status}: {answer.Words}")
                {
                    Method = topic,
                    StatusCode = answer.Status,
                    ErrorCode = answer.ErrorCode,
                    Body = answer.Body,
                };
            }
        }
    }
}
