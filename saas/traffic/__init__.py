"""Traffic on the source: what shops, their customers and their staff do all day, at a chosen rate.

Begin reading at `saas.traffic.simulate`. An *act* (`saas.traffic.acts`) is something a person
does, such as placing an order; it makes one or more *changes*, rows inserted, updated or deleted.
"""
