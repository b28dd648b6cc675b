using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>The routes of an app, tried in load order: there is no precedence, so an early catch-all hides what comes after it.</summary>
internal sealed class RouteTable
{
    private readonly List<HttpRoute> _routes = [];

    /// <param name="functions">Functions in load order; those with a wrong or duplicate route are reported and left out. Disabled ones keep their routes.</param>
    /// <param name="routePrefix">Prefix of every route; empty for none.</param>
    /// <param name="constraints">Knows the constraints' names.</param>
    /// <param name="off">Takes each function that is left out, and why.</param>
    public RouteTable(IEnumerable<FunctionDefinition> functions, string routePrefix, IInlineConstraintResolver constraints, Action<FunctionDefinition, string> off)
    {
        foreach (var function in functions.Where(function => function.Error is null && function.IsHttp))
        {
            try
            {
                var route = new HttpRoute(function, routePrefix, constraints);
                var twin = _routes.Find(other => other.Template.Equals(route.Template, StringComparison.OrdinalIgnoreCase) && Overlap(other, route));
                if (twin is not null)
                {
                    throw new FunctionAppException($"its route '{route.Template}' is that of function '{twin.Function.Name}', with a verb in common.");
                }

                _routes.Add(route);
            }
            catch (FunctionAppException exception)
            {
                off(function, exception.Message);
            }
        }
    }

    public IReadOnlyList<HttpRoute> Routes => _routes;

    /// <summary>The first route that fits path and verb; else null, with the verbs that other routes answer on this path.</summary>
    public HttpRoute? Match(HttpContext context, out RouteValueDictionary values, out IReadOnlyList<string> otherVerbs)
    {
        List<string>? verbs = null;
        foreach (var route in _routes)
        {
            if (!route.TryMatch(context, out values))
            {
                continue;
            }

            if (route.Answers(context.Request.Method))
            {
                otherVerbs = [];
                return route;
            }

            (verbs ??= []).AddRange(route.Methods);
        }

        values = [];
        otherVerbs = verbs is null ? [] : [.. verbs.Distinct().Order(StringComparer.Ordinal)];
        return null;
    }

    private static bool Overlap(HttpRoute a, HttpRoute b) => a.Methods.Count == 0 || b.Methods.Count == 0 || a.Methods.Intersect(b.Methods).Any();
}
