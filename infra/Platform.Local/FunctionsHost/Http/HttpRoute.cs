using Microsoft.AspNetCore.Routing.Template;
using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>One HTTP function's route: a template with constraints, optional and catch-all parts, and the verbs that it answers.</summary>
internal sealed class HttpRoute
{
    private static readonly RouteValueDictionary NoValues = [];

    private readonly TemplateMatcher _matcher;

    /// <summary>The path itself where the template has no parameters; else null.</summary>
    private readonly string? _literalPath;

    /// <summary>What a path that fits must begin with, a slash in front; most paths are rejected by it without a closer look.</summary>
    private readonly string _literalStart;
    private readonly RouteValueDictionary _absent = [];
    private readonly List<(string Name, IRouteConstraint Constraint)> _constraints = [];

    /// <exception cref="FunctionAppException">The template cannot be parsed, names an unknown constraint, or claims a reserved path.</exception>
    public HttpRoute(FunctionDefinition function, string routePrefix, IInlineConstraintResolver constraints)
    {
        Function = function;
        var route = (function.Trigger.Text("route") ?? function.Name).Trim('/');
        if (route.Split('/')[0].ToLowerInvariant() is "admin" or "runtime")
        {
            throw new FunctionAppException($"the route '{route}' starts with 'admin' or 'runtime', which belong to the host.");
        }

        Template = $"{routePrefix}/{route}".Trim('/');
        Methods = function.Trigger.Json["methods"] is System.Text.Json.Nodes.JsonArray methods ? [.. methods.Select(method => method!.ToString().ToUpperInvariant())] : [];
        try
        {
            var template = TemplateParser.Parse(Template);
            var defaults = new RouteValueDictionary();
            foreach (var parameter in template.Parameters)
            {
                if (parameter.DefaultValue is not null)
                {
                    defaults[parameter.Name!] = parameter.DefaultValue;
                }

                _absent[parameter.Name!] = null;
                foreach (var inline in parameter.InlineConstraints)
                {
                    var constraint = constraints.ResolveConstraint(inline.Constraint)
                        ?? throw new FunctionAppException($"the route '{Template}' has the unknown constraint '{inline.Constraint}'.");
                    _constraints.Add((parameter.Name!, parameter.IsOptional ? new Microsoft.AspNetCore.Routing.Constraints.OptionalRouteConstraint(constraint) : constraint));
                }
            }

            _matcher = new TemplateMatcher(template, defaults);
            _literalPath = template.Parameters.Count == 0 ? "/" + Template : null;
            _literalStart = template.Segments is [{ IsSimple: true, Parts: [{ IsLiteral: true, Text: { } first }] }, ..] ? "/" + first : "/";
        }
        catch (Exception exception) when (exception is ArgumentException or RouteCreationException)
        {
            throw new FunctionAppException($"the route '{Template}' is no route template: {exception.Message}", exception);
        }
    }

    public FunctionDefinition Function { get; }

    /// <summary>The template with the route prefix, without a slash in front.</summary>
    public string Template { get; }

    /// <summary>Upper-case verbs; empty for all.</summary>
    public IReadOnlyList<string> Methods { get; }

    /// <summary>Values of the route's parameters if the path fits; absent optional ones are null.</summary>
    public bool TryMatch(HttpContext context, out RouteValueDictionary values)
    {
        var path = context.Request.Path.Value!;
        if (_literalPath is not null && !path.EndsWith('/'))
        {
            values = NoValues;
            return path.Equals(_literalPath, StringComparison.OrdinalIgnoreCase);
        }

        if (!path.StartsWith(_literalStart, StringComparison.OrdinalIgnoreCase))
        {
            values = NoValues;
            return false;
        }

        values = [];
        if (!_matcher.TryMatch(context.Request.Path, values))
        {
            return false;
        }

        foreach (var (name, constraint) in _constraints)
        {
            if (!constraint.Match(context, null, name, values, RouteDirection.IncomingRequest))
            {
                return false;
            }
        }

        foreach (var (name, _) in _absent)
        {
            values.TryAdd(name, null);
        }

        return true;
    }

    public bool Answers(string method) => Methods.Count == 0 || Methods.Contains(method.ToUpperInvariant());
}
