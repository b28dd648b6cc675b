using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Platform.Dapr.Http;

namespace Platform.Dapr.Subscriptions;

/// <summary>Subscriptions of an ASP.NET Core app: which endpoint takes which topic, told to the sidecar at <c>/dapr/subscribe</c>.</summary>
/// <example><code>
/// app.UseCloudEvents();                                                   // only for endpoints that bind the data themselves
/// app.MapSubscribeHandler();
/// app.MapPost("/orders", Handle).WithTopic("pubsub", "orders");           // any endpoint
/// app.MapTopic("pubsub", "bills", MyJson.Default.Bill, (bill, ct) => ...); // or one that gets the event, typed
/// </code></example>
public static class SubscriptionEndpoints
{
    /// <summary>Serves <c>/dapr/subscribe</c> with every endpoint that has a topic, however it got it. The order of the mapping calls does not matter.</summary>
    /// <exception cref="InvalidOperationException">At the first request: the topics of two endpoints contradict each other; the message says which.</exception>
    public static IEndpointConventionBuilder MapSubscribeHandler(this IEndpointRouteBuilder endpoints)
    {
        var sources = endpoints.DataSources;
        return endpoints.MapMethods("/dapr/subscribe", [HttpMethods.Get], endpoints.Guard(async context =>
        {
            var document = SubscriptionDocument.Write(sources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>());
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = document.Length;
            await context.Response.Body.WriteAsync(document, context.RequestAborted);
        }));
    }

    /// <summary>Takes the envelope off deliveries, so that endpoints bind the data as their body; the envelope's other members come as <c>Cloudevent.{name}</c> headers.</summary>
    public static IApplicationBuilder UseCloudEvents(this IApplicationBuilder app) => app.UseMiddleware<CloudEventsMiddleware>();

    /// <summary>Gives an endpoint a topic. May be called several times.</summary>
    /// <param name="builder">The endpoint.</param>
    /// <param name="pubsubName">Name of the pub/sub component.</param>
    /// <param name="name">The topic.</param>
    /// <param name="match">Routing rule in CEL over <c>event</c>; null: the topic's default route.</param>
    /// <param name="priority">Order of the rule among those of the topic, lowest first.</param>
    /// <param name="deadLetterTopic">Topic for events that could not be handled.</param>
    /// <param name="isRawPayload">True if publishers send no CloudEvents.</param>
    public static TBuilder WithTopic<TBuilder>(this TBuilder builder, string pubsubName, string name, string? match = null, int priority = 0, string? deadLetterTopic = null, bool isRawPayload = false)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentException.ThrowIfNullOrEmpty(pubsubName);
        ArgumentException.ThrowIfNullOrEmpty(name);
        builder.Add(endpoint => endpoint.Metadata.Add(
            match is null
                ? new TopicAttribute(pubsubName, name) { DeadLetterTopic = deadLetterTopic, IsRawPayload = isRawPayload }
                : new TopicAttribute(pubsubName, name, match, priority) { DeadLetterTopic = deadLetterTopic, IsRawPayload = isRawPayload }));
        return builder;
    }

    /// <summary>Has an endpoint's topics delivered several events at a time; the endpoint then gets Dapr's bulk body and answers one status per entry.</summary>
    public static TBuilder WithBulkSubscribe<TBuilder>(this TBuilder builder, int maxMessagesCount = 100, int maxAwaitDurationMs = 1000)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxMessagesCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxAwaitDurationMs, 1);
        builder.Add(endpoint => endpoint.Metadata.Add(new BulkSubscribeAttribute { MaxMessagesCount = maxMessagesCount, MaxAwaitDurationMs = maxAwaitDurationMs }));
        return builder;
    }

    /// <summary>An endpoint of its own for a topic, at <c>/topics/{pubsub}/{topic}</c> unless <paramref name="path"/> says otherwise.</summary>
    /// <param name="endpoints">Where to map.</param>
    /// <param name="pubsubName">Name of the pub/sub component.</param>
    /// <param name="name">The topic.</param>
    /// <param name="type">How the data are read. An event that is not of this type is dropped, which sends it to the dead letters if there are any.</param>
    /// <param name="handler">Handles one event. What it throws is a 500, after which the sidecar tries again.</param>
    /// <param name="path">Path of the endpoint; needed when one topic has several.</param>
    /// <returns>The endpoint; give it rules with <see cref="WithTopic"/> on another path.</returns>
    public static IEndpointConventionBuilder MapTopic<T>(
        this IEndpointRouteBuilder endpoints, string pubsubName, string name, JsonTypeInfo<T> type, Func<CloudEvent<T>, CancellationToken, Task<TopicStatus>> handler, string? path = null) =>
        endpoints.MapEvents(path ?? DefaultPath(pubsubName, name), type, handler).WithTopic(pubsubName, name);

    /// <summary>As <see cref="MapTopic"/>, without a topic yet: add any number with <see cref="WithTopic"/>.</summary>
    /// <inheritdoc cref="MapTopic"/>
    public static IEndpointConventionBuilder MapEvents<T>(this IEndpointRouteBuilder endpoints, string path, JsonTypeInfo<T> type, Func<CloudEvent<T>, CancellationToken, Task<TopicStatus>> handler) =>
        endpoints.MapDelivery(path, async (context, body) =>
        {
            CloudEvent<T> cloudEvent;
            try
            {
                cloudEvent = CloudEventReader.Read(body, type);
            }
            catch (JsonException)
            {
                await TopicResult.Drop.ExecuteAsync(context); // It will not be another one next time.
                return;
            }

            await TopicResult.Of(await handler(cloudEvent, context.RequestAborted)).ExecuteAsync(context);
        });

    /// <summary>As <see cref="MapTopic"/>, several events at a time.</summary>
    /// <param name="endpoints">Where to map.</param>
    /// <param name="pubsubName">Name of the pub/sub component.</param>
    /// <param name="name">The topic.</param>
    /// <param name="type">How the data are read. Events that are not of this type are dropped and not handed over.</param>
    /// <param name="handler">Gets the events of a call and answers one status for each, in their order.</param>
    /// <param name="maxMessagesCount">Events in a call at most.</param>
    /// <param name="maxAwaitDurationMs">Wait for that many for this long, milliseconds.</param>
    /// <param name="path">Path of the endpoint.</param>
    public static IEndpointConventionBuilder MapBulkTopic<T>(
        this IEndpointRouteBuilder endpoints,
        string pubsubName,
        string name,
        JsonTypeInfo<T> type,
        Func<IReadOnlyList<CloudEvent<T>>, CancellationToken, Task<IReadOnlyList<TopicStatus>>> handler,
        int maxMessagesCount = 100,
        int maxAwaitDurationMs = 1000,
        string? path = null) =>
        endpoints.MapDelivery(path ?? DefaultPath(pubsubName, name), async (context, body) =>
        {
            var entries = BulkEvents.Read(body, type);
            var readable = entries.FindAll(entry => entry.Event is not null);
            var statuses = readable.Count == 0 ? [] : await handler(readable.ConvertAll(entry => entry.Event!), context.RequestAborted);
            if (statuses.Count != readable.Count)
            {
                throw new InvalidOperationException($"The handler of topic '{name}' answered {statuses.Count} statuses for {readable.Count} events; expected one for each.");
            }

            var answer = BulkEvents.Answer(readable.Select((entry, i) => (entry.EntryId, statuses[i])).Concat(entries.Where(entry => entry.Event is null).Select(entry => (entry.EntryId, TopicStatus.Drop))));
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = answer.Length;
            await context.Response.Body.WriteAsync(answer, context.RequestAborted);
        }).WithTopic(pubsubName, name).WithBulkSubscribe(maxMessagesCount, maxAwaitDurationMs);

    private static string DefaultPath(string pubsubName, string name) => $"/topics/{pubsubName}/{name.Trim('/')}";

    private static IEndpointConventionBuilder MapDelivery(this IEndpointRouteBuilder endpoints, string path, Func<HttpContext, JsonElement, Task> handler) =>
        endpoints.MapMethods(path, [HttpMethods.Post], endpoints.Guard(async context =>
        {
            JsonDocument body;
            try
            {
                body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            }
            catch (JsonException)
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }

            using (body)
            {
                await handler(context, body.RootElement);
            }
        })).WithMetadata(CloudEventsMiddleware.ReadsEnvelope.Instance);

    /// <summary>Asks for the app's token where it has one: only the own sidecar may deliver.</summary>
    private static RequestDelegate Guard(this IEndpointRouteBuilder endpoints, RequestDelegate handler) =>
        endpoints.ServiceProvider.GetService<DaprOptions>()?.AppApiToken is { } token ? AppApiToken.Require(token, handler) : handler;
}
