using System.ComponentModel;
using System.Reflection;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.Functions.Hosting;

/// <summary>Everything a parameter may be bound to.</summary>
internal sealed record Invocation(FunctionContext Context, HttpRequest? Request, JsonElement? Trigger);

/// <summary>Calls one function: makes its class, binds its parameters, awaits its result.</summary>
internal sealed class FunctionInvoker
{
    private readonly Func<Invocation, ValueTask<object?>>[] _binders;
    private readonly Func<object?, Task<object?>> _awaiter;
    private readonly MethodInvoker _method;
    private readonly ObjectFactory? _create;
    private readonly JsonSerializerOptions _json;

    public FunctionInvoker(FunctionDescriptor function, JsonSerializerOptions json)
    {
        Function = function;
        _json = json;
        _method = MethodInvoker.Create(function.Method);
        _create = function.Method.IsStatic ? null : ActivatorUtilities.CreateFactory(function.Type, []);
        _awaiter = ReturnTypes.Awaiter(function.Method.ReturnType);
        _binders = [.. function.Method.GetParameters().Select(BinderOf)];
    }

    public FunctionDescriptor Function { get; }

    public async Task<object?> InvokeAsync(Invocation invocation)
    {
        var arguments = new object?[_binders.Length];
        for (var i = 0; i < arguments.Length; i++)
        {
            arguments[i] = await _binders[i](invocation);
        }

        var instance = _create?.Invoke(invocation.Context.InstanceServices, null);
        try
        {
            return await _awaiter(_method.Invoke(instance, arguments.AsSpan()));
        }
        finally
        {
            await DisposeAsync(instance);
        }
    }

    private Func<Invocation, ValueTask<object?>> BinderOf(ParameterInfo parameter)
    {
        var type = parameter.ParameterType;
        var name = parameter.Name!;
        if (type == typeof(HttpRequest))
        {
            return static invocation => new(invocation.Request);
        }

        if (type == typeof(HttpRequestData))
        {
            return static invocation => new(new HttpRequestData(invocation.Request!, invocation.Context));
        }

        if (type == typeof(CancellationToken))
        {
            return static invocation => new(invocation.Context.CancellationToken);
        }

        if (type == typeof(FunctionContext))
        {
            return static invocation => new(invocation.Context);
        }

        if (parameter == Function.TriggerParameter)
        {
            return Function.HttpTrigger is null
                ? invocation => new(EnvelopeValue.Read(invocation.Trigger!.Value, type, _json))
                : invocation => ReadBodyAsync(invocation.Request!, type);
        }

        return parameter.IsDefined(typeof(FromBodyAttribute)) || parameter.IsDefined(typeof(Microsoft.AspNetCore.Mvc.FromBodyAttribute))
            ? invocation => ReadBodyAsync(invocation.Request!, type)
            : invocation => new(ByName(invocation, name, type));
    }

    /// <summary>A route value, or an entry of the trigger's metadata, by the parameter's name.</summary>
    private object? ByName(Invocation invocation, string name, Type type)
    {
        if (invocation.Request?.RouteValues.TryGetValue(name, out var routed) == true)
        {
            return routed?.ToString() is { } text ? FromRoute(name, text, type) : null;
        }

        return invocation.Context.Metadata.TryGetValue(name, out var value) ? EnvelopeValue.Read(value, type, _json) : null;
    }

    private object? FromRoute(string name, string text, Type type)
    {
        try
        {
            return TypeDescriptor.GetConverter(type) is var converter && converter.CanConvertFrom(typeof(string))
                ? converter.ConvertFromInvariantString(text)
                : JsonSerializer.Deserialize(JsonSerializer.Serialize(text), type, _json);
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or OverflowException or JsonException)
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"The route value '{name}' is '{text}'; expected a {(Nullable.GetUnderlyingType(type) ?? type).Name}."));
        }
    }

    private async ValueTask<object?> ReadBodyAsync(HttpRequest request, Type type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(request.Body, type, _json, request.HttpContext.RequestAborted);
        }
        catch (JsonException exception)
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidJson, $"The body is not the JSON of a {type.Name}: {exception.Message}"));
        }
    }

    private static async ValueTask DisposeAsync(object? instance)
    {
        switch (instance)
        {
            case IAsyncDisposable disposable:
                await disposable.DisposeAsync();
                break;
            case IDisposable disposable:
                disposable.Dispose();
                break;
        }
    }
}
